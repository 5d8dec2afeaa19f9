/* Reads strokes and writes text:
 *
 *     handwriting READER.bin < strokes.json      [[[x, y], [x, y]], [[x, y]]], a list of strokes
 *     handwriting WRITER.bin "Dear Anna" > strokes.json */
#include <handwriting.h>

#include <stdio.h>
#include <stdlib.h>

/* Read a whole stream; a 0 follows its bytes. */
static char *read_all(FILE *stream, size_t *size) {
    char *bytes = NULL;
    *size = 0;
    do {
        bytes = realloc(bytes, *size + 65537);
        if (!bytes) exit(1);
        *size += fread(bytes + *size, 1, 65536, stream);
    } while (!feof(stream) && !ferror(stream));
    bytes[*size] = 0;
    return bytes;
}

/* Take the first two numbers of each point; the pen is lifted where a list of points ends. */
static hw_point *parse_strokes(const char *text, size_t *count) {
    hw_point *points = calloc(*count / 4 + 1, sizeof *points); /* a point has 5 bytes or more */
    int depth = 0, numbers = 0;
    if (!points) exit(1);
    for (*count = 0; *text; text++) {
        char *end = NULL;
        if (*text == '[' && ++depth == 3) numbers = 0;
        if (*text == ']' && --depth == 1 && *count) points[*count - 1].pen_up = 1;
        const float number = depth == 3 && *text != '[' ? strtof(text, &end) : 0.0f;
        if (!end || end == text) continue;
        if (numbers++ == 0) points[*count].x = number;
        else if (numbers == 2) points[(*count)++].y = number;
        text = end - 1;
    }
    return points;
}

static void print_strokes(const hw_ink *ink) {
    printf("[[");
    for (uint32_t i = 0; i < ink->num_points; i++) {
        printf("[%.3f, %.3f]", ink->points[i].x, ink->points[i].y);
        if (i + 1 < ink->num_points) printf(ink->points[i].pen_up ? "], [" : ", ");
    }
    printf("]]\n");
}

int main(int argc, char **argv) {
    FILE *file = argc > 1 ? fopen(argv[1], "rb") : NULL;
    if (!file) return fprintf(stderr, "usage: handwriting NETWORK.bin [TEXT]\n"), 2;
    size_t size, count;
    char *bytes = read_all(file, &size), *json = argc > 2 ? NULL : read_all(stdin, &count);
    hw_point *points = json ? parse_strokes(json, &count) : NULL;
    hw_work *work = NULL;
    hw_network *network = NULL;
    hw_page *page = NULL;
    hw_ink *ink = NULL;
    hw_status status = hw_begin(NULL, &work);
    if (!status) status = hw_open(work, argv[1], bytes, size, &network);
    if (!status && json) status = hw_read_page(work, network, points, count, &page);
    else if (!status) status = hw_write_line(work, network, argv[2], NULL, NULL, NULL, NULL, &ink);
    for (uint32_t k = 0; page && k < page->num_rows; k++) printf("%s\n", page->rows[k].text);
    if (ink) print_strokes(ink);
    if (status) fprintf(stderr, "%s\n", hw_message(work));
    hw_free(page), hw_free(ink), hw_close(network), hw_end(work);
    free(points), free(json), free(bytes), fclose(file);
    return status != HW_OK;
}

/* Reads handwriting and writes text by hand, with a network from a file. See README.md.
 *
 * A network is read-only after `hw_open`: any number of threads may use it. A work handle belongs
 * to one thread at a time. There is no other state. Every function that can fail returns a status,
 * and leaves a sentence that says why in `hw_message`. Texts are UTF-8. */
#ifndef HANDWRITING_H
#define HANDWRITING_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif
#if defined(__GNUC__)
#pragma GCC visibility push(default)
#endif

typedef enum hw_status {
    HW_OK,
    HW_STOPPED,      /* a callback returned another number than 0 */
    HW_NO_MEMORY,
    HW_BAD_FILE,     /* no file of a network, or a damaged one */
    HW_BAD_INK,      /* no points, or a position that is not a number */
    HW_BAD_TEXT,     /* a text that is blank, too long, or has characters beyond the alphabet */
    HW_BAD_ARGUMENT, /* a network of another role, a style that is missing, and so on */
    HW_TOO_LARGE     /* more points or strokes than the limits of `hw_options` */
} hw_status;

typedef struct hw_network hw_network; /* what a file has; read-only */
typedef struct hw_work hw_work;       /* the memory and the message of one thread */
typedef struct hw_line hw_line;       /* a line that is being written */

/* Where the pen is, in any unit, y downwards. The pen is lifted after a point whose `pen_up` is not
 * 0, and after the last point: there a stroke ends. */
typedef struct hw_point {
    float x, y;
    int32_t pen_up;
} hw_point;

/* Work ----------------------------------------------------------------------------------------- */

/* Zeros, or a null pointer in place of the structure, stand for the defaults. */
typedef struct hw_options {
    void *(*allocate)(void *context, size_t size); /* default: malloc and free; both or none */
    void (*release)(void *context, void *memory);
    int (*progress)(void *context, float fraction); /* called often, with the fraction that is done,
                                                       of a line that of the present try; another
                                                       result than 0 stops the work */
    void *context;
    uint32_t max_points, max_strokes; /* of one call; defaults: 1,000,000 and 20,000 */
} hw_options;

/* Networks and results may outlive the handle with which they were made. */
hw_status hw_begin(const hw_options *options, hw_work **work);
void hw_end(hw_work *work);
/* Why the last function with this handle failed; "" if it did not. */
const char *hw_message(const hw_work *work);

/* Free a result: an hw_row, hw_page, hw_rows, hw_frames, hw_ink or hw_hand. Null is ignored. */
void hw_free(const void *result);

/* Networks ------------------------------------------------------------------------------------- */

/* Open a network from the `size` bytes of its file, which are not needed afterwards. Messages name
 * it by `title`, such as the file's name; null if it has none. */
hw_status hw_open(hw_work *work, const char *title, const void *bytes, size_t size,
                  hw_network **network);
void hw_close(hw_network *network);

typedef struct hw_info {
    const char *role; /* reader, writer, or descriptor: a network that describes hands */
    const char *name, *licence;
    const char *alphabet;            /* the characters that it reads or writes */
    const char *const *styles;       /* names */
    const float *style_biases;       /* the usual bias of each style */
    uint32_t num_styles;
    const char *const *replacements; /* pairs: a character beyond the alphabet, and the text to write
                                        in its place; `hw_write_line` replaces none */
    uint32_t num_replacements;       /* pairs */
    uint32_t longest;                /* most characters of a line */
    float bias;                      /* the usual bias */
    uint32_t hand_size;              /* numbers of a hand vector; 0 if it takes none */
    int32_t draws_hands;             /* whether each seed has a hand vector */
    uint32_t description_size;       /* numbers of a line that `hw_describe` writes, and that
                                        `hw_hand_of_lines` takes */
} hw_info;

const hw_info *hw_about(const hw_network *network);

/* Reading -------------------------------------------------------------------------------------- */

typedef struct hw_character {
    uint32_t start, end;              /* its bytes in the row's text */
    float probability;
    uint32_t first_point, last_point; /* numbers of points among those that were given */
    const uint32_t *strokes;          /* numbers of strokes among those that were given */
    uint32_t num_strokes;
} hw_character;

typedef struct hw_word {
    const char *text;
    uint32_t start, end; /* its bytes in the row's text */
    uint32_t first_character, num_characters;
    float probability;   /* the network's; it is often too high */
    int32_t is_doubtful; /* whether it is probably misread */
    const uint32_t *strokes; /* numbers of strokes among those that were given; what bounds these
                                bounds the word */
    uint32_t num_strokes;
    const char *const *alternatives; /* other texts of its strokes, the likeliest first */
    uint32_t num_alternatives;
} hw_word;

typedef struct hw_row {
    const char *text;
    const char *const *alternatives; /* other texts of the row, the likeliest first */
    uint32_t num_alternatives;
    const hw_word *words;
    uint32_t num_words;
    const hw_character *characters;
    uint32_t num_characters;
    int32_t is_drawing; /* whether most characters are doubtful */
    uint32_t first_stroke, num_strokes;
} hw_row;

typedef struct hw_page {
    const hw_row *rows;
    uint32_t num_rows;
} hw_page;

typedef struct hw_rows {
    const uint32_t *first_strokes; /* the number of the first stroke of each row */
    uint32_t num_rows;
} hw_rows;

/* What a reader computes of a row, for those who decode it themselves. */
typedef struct hw_frames {
    const float *log_probs; /* of each class at each frame; the classes are the characters of the
                               alphabet in their order, then the blank of CTC */
    uint32_t num_frames, num_classes;
} hw_frames;

/* Read strokes, in the order in which they were written, as one row, or as the rows of a page. */
hw_status hw_read_row(hw_work *work, const hw_network *reader, const hw_point *points, size_t count,
                      hw_row **row);
hw_status hw_read_page(hw_work *work, const hw_network *reader, const hw_point *points,
                       size_t count, hw_page **page);
/* Compute the frames of a row, without reading its text. */
hw_status hw_compute_frames(hw_work *work, const hw_network *reader, const hw_point *points,
                            size_t count, hw_frames **frames);
/* Find where the rows of a page begin. */
hw_status hw_find_rows(hw_work *work, const hw_point *points, size_t count, hw_rows **rows);

/* Writing -------------------------------------------------------------------------------------- */

/* How somebody writes: a hand vector; or else a line of theirs, with its text. */
typedef struct hw_hand {
    const float *vector;
    uint32_t size;
    const char *text;
    const hw_point *points; /* in x-heights */
    uint32_t num_points;
    float x_height;         /* of the line in the network's units; 0: the usual one */
    float stretch[2];       /* of later lines, in x and y; 0: the usual one */
} hw_hand;

#define HW_USUAL_BIAS (-1.0f)

typedef struct hw_style {
    const char *name;    /* of one of the network's styles; or null */
    const hw_hand *hand; /* used without a name; null: each seed has a hand */
    uint32_t seed;       /* the same seed writes the same line */
    float bias;          /* HW_USUAL_BIAS, or from 0 to 1000. Set it: 0, as in a structure of
                            zeros, is the most varied and the least legible */
} hw_style;

typedef enum hw_stage {
    HW_GROWING, /* the line goes on; no points: another try begins */
    HW_DRAWN,   /* a try is complete: `hw_judge` takes how it is read */
    HW_DONE     /* the line is complete */
} hw_stage;

typedef struct hw_ink {
    hw_stage stage;
    const hw_point *points; /* in x-heights, from the line's left edge and its baseline */
    uint32_t num_points;
    /* Of a line that is drawn or done: */
    int32_t is_whole;          /* whether the whole text was written */
    const float *raw; /* as drawn: offset in x, offset in y and end of stroke of each point */
    uint32_t num_raw; /* points */
    const uint32_t *doubtful; /* pairs: the bytes of the text from the start of a word that is read
                                 as another one up to its end */
    uint32_t num_doubtful;    /* pairs */
} hw_ink;

/* Called while a line is written, every 32 points or so; another result than 0 stops. The ink is that
 * of the whole try so far, for the time of the call. At HW_DRAWN some points are others than before. */
typedef int (*hw_drawn)(void *context, const hw_ink *ink);

/* Write a line of text. With a `reader` it is proofread, and tried up to six times in all until it is
 * read right; else the try with the fewest faults is taken. A reader that lacks characters of the text,
 * such as one of ASCII alone, takes all six. `style`, `reader` and `drawn` may be null. Characters beyond the alphabet
 * are not replaced; accented letters are single characters (NFC). */
hw_status hw_write_line(hw_work *work, const hw_network *writer, const char *text,
                        const hw_style *style, const hw_network *reader, hw_drawn drawn,
                        void *context, hw_ink **ink);

/* The same in steps, for those who do other things between them. The ink belongs to the line, up to
 * the next step. Without `hw_judge`, or with null as the reading, a drawn line is done. Lines of a
 * network can be written in turns, also with one work handle. */
hw_status hw_begin_line(hw_work *work, const hw_network *writer, const char *text,
                        const hw_style *style, hw_line **line);
hw_status hw_continue(hw_work *work, hw_line *line, hw_ink *ink);
hw_status hw_judge(hw_work *work, hw_line *line, const char *reading);
void hw_end_line(hw_line *line);

/* Hands ---------------------------------------------------------------------------------------- */

/* The hand of a style; without a name, that of a seed. The result is null if only the drawn line
 * shows the hand. */
hw_status hw_hand_of(hw_work *work, const hw_network *writer, const char *style, uint32_t seed,
                     hw_hand **hand);

/* Describe the hand of a line by a descriptor: write `description_size` numbers. */
hw_status hw_describe(hw_work *work, const hw_network *descriptor, const hw_point *points,
                      size_t count, float *description);
/* The hand of `lines` lines from their descriptions, one after the other, for a network that takes
 * hand vectors. */
hw_status hw_hand_of_lines(hw_work *work, const hw_network *writer, const float *descriptions,
                           size_t lines, hw_hand **hand);
/* The hand of a line that somebody wrote, for a network that goes on after lines. */
hw_status hw_hand_of_line(hw_work *work, const hw_network *writer, const char *text,
                          const hw_point *points, size_t count, hw_hand **hand);

/* Neat ink ------------------------------------------------------------------------------------- */

/* Make rows level, even and evenly spaced. Of each row its first stroke and number of strokes, its
 * words (texts and strokes) and `is_drawing` are used: a row that may be a drawing stays. `neat`
 * has room for `count` points, and may be `points`. A stroke that stays keeps its numbers. */
hw_status hw_neat(hw_work *work, const hw_point *points, size_t count, const hw_row *rows,
                  size_t num_rows, hw_point *neat);

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif
#ifdef __cplusplus
}
#endif
#endif

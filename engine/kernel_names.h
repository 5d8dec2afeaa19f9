/* The kernels are compiled several times, each time for another kind of processor: -DLEVEL=_avx2
 * and so on, see the Makefile. Their names end with the level. Without one they are compiled
 * once. */

#ifdef LEVEL
#define JOINED_(name, level) name##level
#define JOINED(name, level) JOINED_(name, level)
#define LEVELLED(name) JOINED(name, LEVEL)
#define lanes LEVELLED(lanes)
#define pack LEVELLED(pack)
#define product LEVELLED(product)
#define multiply LEVELLED(multiply)
#define bidirectional_forward LEVELLED(bidirectional_forward)
#define bidirectional_backward LEVELLED(bidirectional_backward)
#define Bidirectional_fields LEVELLED(Bidirectional_fields)
#define Bidirectional_bytes LEVELLED(Bidirectional_bytes)
#define write_lines LEVELLED(write_lines)
#define Writing_fields LEVELLED(Writing_fields)
#define Writing_bytes LEVELLED(Writing_bytes)
#else
#define LEVELLED(name) name
#endif

/* format.h -- the bytes of a page, written once.  docs/FORMAT.md tells the same to
** people, and a test compares the two.  No code here.
**
** All numbers are little-endian; reserved bytes are zero.  L is the rotated length
** of a vector (a multiple of 32), n the number of entries.
**
**   +--------------------+  0
**   | header, 64 bytes   |
**   +--------------------+  64
**   | centre, 32 + L     |  what this page's codes are relative to
**   +--------------------+  96 + L
**   | block of 32 entries|  ceil(n / 32) of them, nothing after
**   | ...                |
**   +--------------------+
**
** PAGE HEADER        offset  size  meaning
**                         0     4  magic, "ANNP"
**                         4     1  format version
**                         5     1  kind: 1 leaf, 2 directory
**                         6     1  tree, 0..7
**                         7     1  level: 0 for a leaf, else one more than its children's
**                         8     4  n, entries used
**                        12     4  capacity, entries at most (a multiple of 32)
**                        16     4  L
**                        20     4  parent page, 0 for the root of a tree
**                        24     1  bits a component in a code: 1
**                        25     1  bits a component in a finer second code: 0, none
**                        26     6  reserved
**                        32     8  checksum of the page with these 8 bytes zero
**                        40    24  reserved
**
** CENTRE             offset  size  meaning
**                         0     4  scale, float32: component i is scale * q[i]
**                         4     4  norm, float32: squared length of the centre
**                         8     4  spread, float32: mean squared distance of members
**                        12    20  reserved
**                        32     L  q, int8, -127..127
**
** BLOCK              offset  size  meaning
**                         0   256  ids of 32 entries, int64 (of a directory: child pages)
**                       256   128  shift of 32 entries, float32
**                       384   128  slope of 32 entries, float32
**                       512   4*L  codes: byte 16 m + j holds components 4m..4m+3 of
**                                  entry j in its low and of entry j + 16 in its high
**                                  nibble; bit t of a nibble is 1 if component 4m + t
**                                  of the entry minus the centre is >= 0
**   directory only:   512+4*L 32*(32+L)  the centres of the 32 children
**
** Entries are dense: 0..n-1.  The bytes of unused entries in the last block are zero.
** The estimate of an entry is  base + shift + slope * s,  where s is the sum over
** components of +q[i] or -q[i] by the bits of its code (q: the rotated query) and
** base is |q - centre|^2 where points are compared by their distance, and
** -<q, centre> where by their product.  core/code.h derives shift and slope.
*/
#ifndef ANN_CORE_FORMAT_H
#define ANN_CORE_FORMAT_H

/* cffi:on */
#define ANN_FORMAT_VERSION 2
#define ANN_PAGE_MAGIC 0x504E4E41
#define ANN_KIND_LEAF 1
#define ANN_KIND_DIRECTORY 2

#define ANN_HEADER_SIZE 64
#define ANN_HEADER_MAGIC 0
#define ANN_HEADER_VERSION 4
#define ANN_HEADER_KIND 5
#define ANN_HEADER_TREE 6
#define ANN_HEADER_LEVEL 7
#define ANN_HEADER_N 8
#define ANN_HEADER_CAPACITY 12
#define ANN_HEADER_LENGTH 16
#define ANN_HEADER_PARENT 20
#define ANN_HEADER_CODE_BITS 24
#define ANN_HEADER_FINE_BITS 25
#define ANN_HEADER_CHECKSUM 32

#define ANN_CENTRE_SIZE 32
#define ANN_CENTRE_SCALE 0
#define ANN_CENTRE_NORM 4
#define ANN_CENTRE_SPREAD 8

#define ANN_BLOCK_IDS 0
#define ANN_BLOCK_SHIFT 256
#define ANN_BLOCK_SLOPE 384
#define ANN_BLOCK_CODES 512
/* cffi:off */

#endif

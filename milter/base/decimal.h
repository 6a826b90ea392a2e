/* decimal -- whole numbers as decimal digits.  Pure.
 *
 * What every message writes dozens of times, printf would make a tenth of its
 * cost. */
#ifndef DECIMAL_H
#define DECIMAL_H

#include <stddef.h>
#include <stdint.h>

#define DECIMAL_SIZE 21 /* a sign, 19 digits and NUL */

/* Write the number as a string; the answer is its length. */
size_t decimal_write(int64_t number, char digits_r[DECIMAL_SIZE]);

#endif

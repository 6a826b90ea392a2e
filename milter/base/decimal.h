/* decimal -- numbers as decimal digits, the same in every locale.  Pure.
 *
 * What every message writes dozens of times, printf would make a tenth of its
 * cost. */
#ifndef DECIMAL_H
#define DECIMAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DECIMAL_SIZE 21 /* a sign, 19 digits and NUL */

/* Write the number as a string; the answer is its length. */
size_t decimal_write(int64_t number, char digits_r[DECIMAL_SIZE]);

/* Read the digits with which the `length` bytes of `text` begin, as many as there
 * are: their count.  0, and *number_r unchanged: there are none, or they say
 * more than `most`. */
size_t
decimal_read(const char *text, size_t length, int64_t most, int64_t *number_r);

/* Read what somebody else has written: the number with which a string begins, with
 * a sign only if it is negative.  One too large or small to be kept is the largest or
 * smallest; without a digit it is 0, and `*end_r` is `text`.  `end_r`, where the
 * number ends, may be NULL. */
int64_t decimal_scan(const char *text, const char **end_r);

/* The same as decimal_read() where all of the text has to be digits. */
bool decimal_read_all(
    const char *text, size_t length, int64_t most, int64_t *number_r);

/* Read "12" or "0.85": digits, at most one point with digits on both sides, at
 * most 32 characters; no sign, exponent or blank.  False, and *value_r
 * unchanged, for all else. */
bool decimal_read_real(const char *text, size_t length, double *value_r);

#endif

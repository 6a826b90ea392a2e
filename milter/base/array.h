/* array -- an array that grows as it is filled. */
#ifndef ARRAY_H
#define ARRAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* Make room for one more element of `size` octets behind the first `count`.  Room
 * doubles at each power of two, so that nobody need remember how much there is:
 * only this function may have made it.  `array` is the address of the pointer to
 * the array, NULL at first.  False: out of memory, and all is as it was. */
static inline bool
array_grow(void *array, size_t count, size_t size)
{
	void *old, *larger;

	if ((count & (count - 1)) != 0)
		return true;
	memcpy(&old, array, sizeof old); /* a pointer of whatever type */
	larger = realloc(old, (count == 0 ? 1 : 2 * count) * size);
	if (larger == NULL)
		return false;
	memcpy(array, &larger, sizeof larger);
	/* cppcheck-suppress memleak ; the caller's pointer has it */
	return true;
}

#endif

/* check_main -- what every Check program needs: a main, and COUNT. */
#ifndef CHECK_MAIN_H
#define CHECK_MAIN_H

#include <check.h>

#define COUNT(array) ((int)(sizeof(array) / sizeof *(array)))

/* The main of a program with one test case.  What follows adds the tests:
 *
 *	CHECK_MAIN("glob", tcase)
 *	{
 *		tcase_add_test(tcase, a_star_matches_nothing);
 *	}
 */
#define CHECK_MAIN(name, tcase)                                                \
	static void add_tests(TCase *tcase);                                   \
                                                                               \
	int main(void)                                                         \
	{                                                                      \
		Suite *suite = suite_create(name);                             \
		TCase *only = tcase_create(name);                              \
                                                                               \
		suite_add_tcase(suite, only);                                  \
		add_tests(only);                                               \
		return check_run(suite);                                       \
	}                                                                      \
                                                                               \
	static void add_tests(TCase *tcase)

/* Run the suite and free it; the exit status of the program. */
int check_run(Suite *suite);

#endif

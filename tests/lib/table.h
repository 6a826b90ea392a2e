/* table -- rows of a tab-separated file that lies beside the tests. */
#ifndef TABLE_H
#define TABLE_H

#define TABLE_FIELDS 8

/* Call `take` for each row of "tests/`path`" below the source folder that is
 * neither empty nor starts with '#'.  Fields that a row has not are "".  A file
 * that cannot be read fails the test. */
void table_read(const char *path,
    void (*take)(const char *fields[TABLE_FIELDS], void *context),
    void *context);

#endif

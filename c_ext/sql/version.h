/* version.h -- the version of the extension; pyproject.toml says the same, and a test
** compares. */
#ifndef ANN_SQL_VERSION_H
#define ANN_SQL_VERSION_H

#define ANN_VERSION "0.1.0"

#endif

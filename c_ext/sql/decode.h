/* decode.h -- ann_page_decode(blob): one page of the index as JSON, of whatever table.
**
** It needs no table, as a page says all that is needed to read it.  Of a damaged page it tells what
** can be read, and what is wrong.  The codes and the components of centres are left out.
*/
#ifndef ANN_SQL_DECODE_H
#define ANN_SQL_DECODE_H

#include "index/api.h"

int ann_decode_register(sqlite3 *db);

#endif

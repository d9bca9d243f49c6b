/* order.h -- in which order SQLite calls the methods of one virtual table that its transactions
** concern.
**
** What transaction.c and the state machine in store.c do is right for this order, which SQLite
** documents in part only.  In builds with assertions (cmake -DANN_DEBUG=ON; `make asan`) every
** call is held against it, and one that is out of order ends the program with a sentence.  Other
** builds have nothing of it.
**
**   method         may come in stage                        and then
**   xCreate        NEW                                      MADE: in the transaction, no xBegin
**   xConnect       NEW                                      OUTSIDE
**   xBegin         OUTSIDE                                  INSIDE
**   xUpdate        MADE, INSIDE, SYNCED                     INSIDE
**   xSavepoint n   MADE, INSIDE, SYNCED                     INSIDE; n is the latest told
**   xRelease n     INSIDE, SYNCED; n not above the latest   INSIDE
**   xRollbackTo n  INSIDE, SYNCED; n not above the latest   INSIDE
**   xSync          MADE, INSIDE, SYNCED                     SYNCED if it succeeds, else INSIDE
**   xCommit        SYNCED                                   OUTSIDE
**   xRollback      MADE, INSIDE, SYNCED                     OUTSIDE
**   xDisconnect    MADE, OUTSIDE                            gone
**   xDestroy       any but NEW                              gone if it succeeds, else as before
**
** What may surprise:
**
** * Savepoints that are open when the table joins the transaction are told of the innermost
**   alone, after xBegin; later the outer ones may be released or rolled back to, though they
**   were never told.
** * A statement within a transaction is a savepoint too; of two that take turns the outer may
**   end first, so that numbers are released that no longer are, and opened that still are.
** * A COMMIT that finds the file locked (SQLITE_BUSY) comes after xSync, and the transaction
**   goes on.
** * Created and then out of memory, a table is in no transaction: xDisconnect follows.
** * SQLite may replace a virtual table in the middle of a transaction: each has an order of its
**   own.
*/
#ifndef ANN_INDEX_ORDER_H
#define ANN_INDEX_ORDER_H

#include "core/base.h"

#define ANN_ORDER_SENTENCE 200 /* bytes, at most */

/* cffi:on */
enum {
  ANN_ORDER_CREATE,
  ANN_ORDER_CONNECT,
  ANN_ORDER_BEGIN,
  ANN_ORDER_UPDATE,
  ANN_ORDER_SAVEPOINT,
  ANN_ORDER_RELEASE,
  ANN_ORDER_ROLLBACK_TO,
  ANN_ORDER_SYNC,
  ANN_ORDER_SYNCED, /* xSync has succeeded */
  ANN_ORDER_COMMIT,
  ANN_ORDER_ROLLBACK,
  ANN_ORDER_DISCONNECT,
  ANN_ORDER_DESTROY,
};

/* Where one virtual table stands; begins as zeros. */
typedef struct AnnOrder {
  int stage;
  int savepoints; /* one more than the number of the latest that was told; 0 for none */
} AnnOrder;

/* A call; n: of a savepoint.  ANN_OK, or ANN_ERROR with a sentence in out_sentence
** (ANN_ORDER_SENTENCE bytes) when it is out of order. */
int ann_order_next(AnnOrder *order, int call, int n, char *out_sentence);
/* The same, and the end of the program when it is out of order. */
void ann_order_keep(AnnOrder *order, const char *table, int call, int n);
/* cffi:off */

#endif

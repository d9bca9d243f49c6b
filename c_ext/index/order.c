/* order.c -- see order.h. */
#include "index/order.h"

#ifndef NDEBUG

#include <stdio.h>
#include <stdlib.h>

enum { NEW, MADE, OUTSIDE, INSIDE, SYNCED };

#define IN(stage) (1 << (stage))
#define STAYS (-1)

static const char *const stages[] = {"is new", "was made in this transaction",
                                     "is outside of any transaction", "is in a transaction",
                                     "has been told to sync"};

static const struct {
  const char *name;
  int stages; /* in which it may come */
  int next;   /* the stage after it */
} calls[] = {
  [ANN_ORDER_CREATE] = {"xCreate", IN(NEW), MADE},
  [ANN_ORDER_CONNECT] = {"xConnect", IN(NEW), OUTSIDE},
  [ANN_ORDER_BEGIN] = {"xBegin", IN(OUTSIDE), INSIDE},
  [ANN_ORDER_UPDATE] = {"xUpdate", IN(MADE) | IN(INSIDE) | IN(SYNCED), INSIDE},
  [ANN_ORDER_SAVEPOINT] = {"xSavepoint", IN(MADE) | IN(INSIDE) | IN(SYNCED), INSIDE},
  [ANN_ORDER_RELEASE] = {"xRelease", IN(INSIDE) | IN(SYNCED), INSIDE},
  [ANN_ORDER_ROLLBACK_TO] = {"xRollbackTo", IN(INSIDE) | IN(SYNCED), INSIDE},
  [ANN_ORDER_SYNC] = {"xSync", IN(MADE) | IN(INSIDE) | IN(SYNCED), INSIDE},
  [ANN_ORDER_SYNCED] = {"the end of xSync", IN(INSIDE), SYNCED},
  [ANN_ORDER_COMMIT] = {"xCommit", IN(SYNCED), OUTSIDE},
  [ANN_ORDER_ROLLBACK] = {"xRollback", IN(MADE) | IN(INSIDE) | IN(SYNCED), OUTSIDE},
  [ANN_ORDER_DISCONNECT] = {"xDisconnect", IN(MADE) | IN(OUTSIDE), STAYS},
  [ANN_ORDER_DESTROY] = {"xDestroy", IN(MADE) | IN(OUTSIDE) | IN(INSIDE) | IN(SYNCED), STAYS},
};

int ann_order_next(AnnOrder *order, int call, int n, char *out_sentence) {
  if (!(calls[call].stages & IN(order->stage))) {
    snprintf(out_sentence, ANN_ORDER_SENTENCE, "expected no %s now, as the table %s",
             calls[call].name, stages[order->stage]);
    return ANN_ERROR;
  }
  if ((call == ANN_ORDER_RELEASE || call == ANN_ORDER_ROLLBACK_TO) && n >= order->savepoints) {
    snprintf(out_sentence, ANN_ORDER_SENTENCE,
             "expected %s of a savepoint below %d, got that of %d", calls[call].name,
             order->savepoints, n);
    return ANN_ERROR;
  }
  if (calls[call].next != STAYS) order->stage = calls[call].next;
  if (call == ANN_ORDER_SAVEPOINT) order->savepoints = n + 1;
  if (order->stage == OUTSIDE) order->savepoints = 0;
  return ANN_OK;
}

void ann_order_keep(AnnOrder *order, const char *table, int call, int n) {
  char sentence[ANN_ORDER_SENTENCE];
  if (ann_order_next(order, call, n, sentence) == ANN_OK) return;
  fprintf(stderr, "ann table %s: %s\n", table, sentence);
  abort();
}

#endif

/* pool.h -- some threads for the duration of one build, and one operation: a parallel for.
**
** Items 0..n-1 are handed out in chunks, in rising order, to the caller and to the threads.
** What an item computes must not depend on which worker computes it, nor on other items of
** the run: then the result is the same for any number of threads, and without any.
**
** The work allocates nothing, touches only memory handed to it, and never calls SQLite:
** only the caller, between two chunks, polls.  Threads block all signals, so that a host's
** handlers run in the host's own threads.
**
**   ann_pool_new    a thread each, about 30 us        ann_pool_run    about 10 us a run
*/
#ifndef ANN_CORE_POOL_H
#define ANN_CORE_POOL_H

#include "core/base.h"

/* cffi:on */
#define ANN_MAX_THREADS 64

typedef struct AnnPool AnnPool;

/* Work on the items first..last-1; worker: 0 for the caller, else below ann_pool_workers. */
typedef void (*AnnPoolWork)(void *arg, int64_t first, int64_t last, int worker);

int ann_pool_cores(void);
int ann_pool_threads(int wanted);
int ann_pool_new(int n_threads, AnnPool **out_pool);
void ann_pool_free(AnnPool *pool);
int ann_pool_workers(const AnnPool *pool);
int ann_pool_run(AnnPool *pool, int64_t n, int64_t chunk, AnnPoolWork work, void *arg,
                 const AnnPoll *poll);
/* cffi:off */

/* ann_pool_cores: the cores that this process may use, at least 1.
** ann_pool_threads: those that work is given to: as many as are wanted; of 0 the cores, at most 16.
** ann_pool_new: n_threads includes the caller.  Fewer are not an error, wherever threads
** cannot be made: ANN_OK, or ANN_NOMEM with nothing owned.  Used by one thread only.
** ann_pool_free: joins the threads; takes NULL.
** ann_pool_workers: of a NULL pool, 1: the caller alone.
** ann_pool_run: chunk is the items taken at a time, about a tenth of a millisecond of work.
** Returns when every item is done: ANN_OK; or what poll said, with some items not done and
** none under way.
*/

#endif

/* pool.c -- see pool.h.  No threads are made in WebAssembly, which has none, nor in Windows, until
** someone needs more there. */
#if !defined(_WIN32) && !defined(__wasi__)
#define _GNU_SOURCE /* sched_getaffinity */
#define HAVE_THREADS 1
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <unistd.h>
#else
#define HAVE_THREADS 0
#endif

#include "core/pool.h"

#include <stdatomic.h>

#define STACK_SIZE ((size_t)512 << 10) /* of a thread; the work has no large arrays */

#define MOST_THREADS 16 /* unless more are wanted; a choice */

/* One parallel for. */
typedef struct Job {
  AnnPoolWork work;
  void *arg;
  int64_t n, chunk;
  atomic_llong next; /* the first item that nobody has taken */
} Job;

/* Take chunks until none is left.  poll is for the caller alone. */
static int take_chunks(Job *job, int worker, const AnnPoll *poll) {
  int rc = ANN_OK;
  while (rc == ANN_OK) {
    int64_t first = atomic_fetch_add(&job->next, job->chunk), last;
    if (first >= job->n) break;
    last = job->n - first < job->chunk ? job->n : first + job->chunk;
    job->work(job->arg, first, last, worker);
    rc = ann_poll(poll);
  }
  if (rc != ANN_OK) atomic_store(&job->next, job->n); /* nobody begins another chunk */
  return rc;
}

#if HAVE_THREADS

struct AnnPool {
  int n_threads; /* beside the caller */
  pthread_t threads[ANN_MAX_THREADS];
  pthread_mutex_t mutex; /* guards what follows, but for the chunks of a job */
  pthread_cond_t wake;   /* a job is there, or the pool closes */
  pthread_cond_t left;   /* the last thread left the job */
  int n_started;         /* threads that have taken their number */
  int64_t n_jobs;        /* jobs so far, so that no thread enters one twice */
  int is_open;           /* the job may be entered */
  int n_inside;          /* threads in it */
  int closing;
  Job job;
};

/* A thread's life: enter each job that is still open when the thread awakes. */
static void *live(void *arg) {
  AnnPool *pool = arg;
  int64_t seen = 0;
  int worker;
  pthread_mutex_lock(&pool->mutex);
  worker = ++pool->n_started;
  while (!pool->closing) {
    if (!pool->is_open || pool->n_jobs == seen) {
      pthread_cond_wait(&pool->wake, &pool->mutex);
      continue;
    }
    seen = pool->n_jobs;
    pool->n_inside++;
    pthread_mutex_unlock(&pool->mutex);
    take_chunks(&pool->job, worker, NULL);
    pthread_mutex_lock(&pool->mutex);
    if (--pool->n_inside == 0) pthread_cond_signal(&pool->left);
  }
  pthread_mutex_unlock(&pool->mutex);
  return NULL;
}

static void start_threads(AnnPool *pool, int wanted) {
  sigset_t all, before;
  pthread_attr_t attributes;
  if (pthread_attr_init(&attributes) != 0) return;
  pthread_attr_setstacksize(&attributes, STACK_SIZE);
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before); /* which the threads inherit */
  while (pool->n_threads < wanted &&
         pthread_create(&pool->threads[pool->n_threads], &attributes, live, pool) == 0) {
    pool->n_threads++;
  }
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  pthread_attr_destroy(&attributes);
}

int ann_pool_new(int n_threads, AnnPool **out_pool) {
  AnnPool *pool = ann_alloc_zero(1, sizeof *pool);
  if (!pool) return ANN_NOMEM;
  pthread_mutex_init(&pool->mutex, NULL);
  pthread_cond_init(&pool->wake, NULL);
  pthread_cond_init(&pool->left, NULL);
  start_threads(pool, (n_threads < ANN_MAX_THREADS ? n_threads : ANN_MAX_THREADS) - 1);
  *out_pool = pool;
  return ANN_OK;
}

void ann_pool_free(AnnPool *pool) {
  int i;
  if (!pool) return;
  pthread_mutex_lock(&pool->mutex);
  pool->closing = 1;
  pthread_cond_broadcast(&pool->wake);
  pthread_mutex_unlock(&pool->mutex);
  for (i = 0; i < pool->n_threads; i++) pthread_join(pool->threads[i], NULL);
  pthread_cond_destroy(&pool->left);
  pthread_cond_destroy(&pool->wake);
  pthread_mutex_destroy(&pool->mutex);
  ann_free(pool);
}

int ann_pool_workers(const AnnPool *pool) { return pool ? pool->n_threads + 1 : 1; }

static void open_job(AnnPool *pool, const Job *job) {
  pthread_mutex_lock(&pool->mutex);
  pool->job.work = job->work;
  pool->job.arg = job->arg;
  pool->job.n = job->n;
  pool->job.chunk = job->chunk;
  atomic_store(&pool->job.next, 0);
  pool->n_jobs++;
  pool->is_open = 1;
  pthread_cond_broadcast(&pool->wake);
  pthread_mutex_unlock(&pool->mutex);
}

/* Who has not come by now is not waited for. */
static void close_job(AnnPool *pool) {
  pthread_mutex_lock(&pool->mutex);
  pool->is_open = 0;
  while (pool->n_inside > 0) pthread_cond_wait(&pool->left, &pool->mutex);
  pthread_mutex_unlock(&pool->mutex);
}

static int run_shared(AnnPool *pool, const Job *job, const AnnPoll *poll) {
  int rc;
  open_job(pool, job);
  rc = take_chunks(&pool->job, 0, poll);
  close_job(pool);
  return rc;
}

static int bounded(long n) {
  return n < 1 ? 1 : n > ANN_MAX_THREADS ? ANN_MAX_THREADS : (int)n;
}

int ann_pool_cores(void) {
#ifdef __linux__
  cpu_set_t mine;
  if (sched_getaffinity(0, sizeof mine, &mine) == 0) return bounded(CPU_COUNT(&mine));
#endif
  return bounded(sysconf(_SC_NPROCESSORS_ONLN));
}

#else

struct AnnPool {
  int n_threads; /* beside the caller: none */
};

int ann_pool_new(int n_threads, AnnPool **out_pool) {
  (void)n_threads;
  *out_pool = ann_alloc_zero(1, sizeof **out_pool);
  return *out_pool ? ANN_OK : ANN_NOMEM;
}

void ann_pool_free(AnnPool *pool) { ann_free(pool); }

int ann_pool_workers(const AnnPool *pool) { return pool ? pool->n_threads + 1 : 1; }

static int run_shared(AnnPool *pool, const Job *job, const AnnPoll *poll) {
  Job alone = *job;
  (void)pool;
  return take_chunks(&alone, 0, poll);
}

int ann_pool_cores(void) { return 1; }

#endif

int ann_pool_threads(int wanted) {
  int n = wanted > 0 ? wanted : ann_pool_cores();
  return wanted > 0 || n < MOST_THREADS ? n : MOST_THREADS;
}

int ann_pool_run(AnnPool *pool, int64_t n, int64_t chunk, AnnPoolWork work, void *arg,
                 const AnnPoll *poll) {
  Job job = {work, arg, n, chunk, 0};
  if (ann_pool_workers(pool) > 1 && n > chunk) return run_shared(pool, &job, poll);
  return take_chunks(&job, 0, poll);
}

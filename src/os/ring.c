/* io_uring. SPDX-License-Identifier: MIT */
#include "os/ring.h"

#include <errno.h>
#include <liburing.h>
#include <sys/socket.h>

#include <salp/time.h>

#include "base/assert.h"
#include "base/sanitizer.h"
#include "os/clock.h"
#include "os/epoll.h"
#include "os/fault.h"
#include "os/file.h"
#include "os/memory.h"
#include "os/pretend.h"

#ifdef __SANITIZE_THREAD__
#include <sanitizer/tsan_interface.h>
#endif

struct salp__ring {
    struct io_uring uring;
    unsigned poll_first; /* the flag, where the kernel knows it */
};

enum {
#ifdef SALP_HOSTILE
    ENTRIES = 2,
#else
    ENTRIES = 256,
#endif
};

/* A request's length has 32 bits, of which zero is another thing than 4 GiB. read(2) and its like move no more at once either. */
static const size_t most_at_once = 0x7ffff000;

/* A wait with a time, and answers that are kept when there is no room for them. */
static const unsigned needed = IORING_FEAT_EXT_ARG | IORING_FEAT_NODROP;

/* Ways to finish requests, the cheapest first: only when we look for answers, and by no interrupt; then for older kernels. */
static const unsigned ways[] = {
    IORING_SETUP_CLAMP | IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG,
    IORING_SETUP_CLAMP,
};

static int open_in_some_way(struct io_uring *uring, struct io_uring_params *parameters)
{
    int error = -EINVAL;
    for (size_t i = 0; i < sizeof ways / sizeof *ways && error == -EINVAL; i++) {
        *parameters = (struct io_uring_params){ .flags = ways[i] };
        error = io_uring_queue_init_params(ENTRIES, uring, parameters);
    }
    return error;
}

/* The flag came with Linux 5.19, as did this operation, which can be asked for. */
static unsigned poll_first(struct io_uring *uring)
{
    struct io_uring_probe *probe = io_uring_get_probe_ring(uring);
    bool known = probe && io_uring_opcode_supported(probe, IORING_OP_SOCKET);
    io_uring_free_probe(probe);
    return known ? IORING_RECVSEND_POLL_FIRST : 0;
}

/* A ring may lie where another one lay, and ThreadSanitizer does not see how liburing maps and unmaps: so it is told that what
   closes a ring comes before what opens the next. */
#ifdef __SANITIZE_THREAD__
static char rings;

static void note_opening(void)
{
    __tsan_acquire(&rings);
}

static void note_closing(void)
{
    __tsan_release(&rings);
}
#else
static void note_opening(void)
{
}

static void note_closing(void)
{
}
#endif

int salp__ring_open(salp__ring **out)
{
    salp__ring *ring = salp__allocate(sizeof *ring);
    if (!ring)
        return -ENOMEM;
    struct io_uring_params parameters;
    int error = open_in_some_way(&ring->uring, &parameters);
    note_opening(); /* it lies where it lies now; who lay there has closed before */
    if (error == 0 && (parameters.features & needed) != needed) {
        io_uring_queue_exit(&ring->uring);
        error = -ENOSYS;
    }
    if (error < 0) {
        salp__free(ring);
        return error;
    }
    ring->poll_first = poll_first(&ring->uring);
    (void)io_uring_register_ring_fd(&ring->uring); /* cheaper calls; else they are as they were */
    *out = ring;
    return 0;
}

void salp__ring_close(salp__ring *ring)
{
    note_closing();
    io_uring_queue_exit(&ring->uring);
    salp__free(ring);
}

int salp__ring_fd(const salp__ring *ring)
{
    return ring->uring.ring_fd;
}

bool salp__ring_submit(salp__ring *ring)
{
    SALP__FAULT(false);
    if (io_uring_sq_ready(&ring->uring) > 0)
        (void)io_uring_submit(&ring->uring);
    return io_uring_sq_ready(&ring->uring) == 0;
}

static struct io_uring_sqe *entry(salp__ring *ring)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(&ring->uring);
    if (!sqe) {
        salp__ring_submit(ring);
        sqe = io_uring_get_sqe(&ring->uring);
    }
    return sqe;
}

int salp__ring_poll(salp__ring *ring, int fd, uint32_t events, void *what)
{
    SALP__FAULT(-ENOMEM);
    struct io_uring_sqe *sqe = entry(ring);
    if (!sqe)
        return -ENOMEM;
    io_uring_prep_poll_add(sqe, fd, events);
    io_uring_sqe_set_data(sqe, what);
    return 0;
}

int salp__ring_take_back(salp__ring *ring, void *what)
{
    SALP__FAULT(-ENOMEM);
    struct io_uring_sqe *sqe = entry(ring);
    if (!sqe)
        return -ENOMEM;
    io_uring_prep_poll_remove(sqe, (uint64_t)(uintptr_t)what);
    io_uring_sqe_set_data(sqe, NULL);
    return 0;
}

static size_t at_once(size_t size)
{
    return size < most_at_once ? size : most_at_once;
}

int salp__ring_receive(salp__ring *ring, int fd, void *data, size_t size, bool soon, void *what)
{
    SALP__FAULT(-ENOMEM);
    struct io_uring_sqe *sqe = entry(ring);
    if (!sqe)
        return -ENOMEM;
    io_uring_prep_recv(sqe, fd, data, at_once(size), 0);
    if (soon)
        sqe->ioprio |= (uint16_t)ring->poll_first;
    io_uring_sqe_set_data(sqe, what);
    return 0;
}

int salp__ring_send(salp__ring *ring, int fd, const void *data, size_t size, void *what)
{
    SALP__FAULT(-ENOMEM);
    struct io_uring_sqe *sqe = entry(ring);
    if (!sqe)
        return -ENOMEM;
    io_uring_prep_send(sqe, fd, data, at_once(size), MSG_NOSIGNAL);
    io_uring_sqe_set_data(sqe, what);
    return 0;
}

int salp__ring_cancel(salp__ring *ring, void *what)
{
    SALP__FAULT(-ENOMEM);
    struct io_uring_sqe *sqe = entry(ring);
    if (!sqe)
        return -ENOMEM;
    io_uring_prep_cancel(sqe, what, 0);
    io_uring_sqe_set_data(sqe, NULL);
    return 0;
}

static int take_answers(salp__ring *ring, salp__answer answers[], int max)
{
    struct io_uring_cqe *cqes[64];
    int count = (int)io_uring_peek_batch_cqe(&ring->uring, cqes, (unsigned)(max < 64 ? max : 64)), kept = 0;
    for (int i = 0; i < count; i++) {
        void *what = io_uring_cqe_get_data(cqes[i]);
        if (what) /* not that of a take-back */
            answers[kept++] = (salp__answer){ .what = what, .result = cqes[i]->res };
    }
    io_uring_cq_advance(&ring->uring, (unsigned)count);
    return kept;
}

/* Submits, and waits for an answer. 0 or -EINTR. */
#ifdef __SANITIZE_THREAD__
/* ThreadSanitizer keeps signals back until a call that it knows, and it knows nothing of io_uring: one that comes just before
   we sleep would be kept for ever. */
static int wait_for_answer(salp__ring *ring, int64_t left)
{
    salp__pollee pollee = { .fd = ring->uring.ring_fd, .events = SALP__POLL_IN };
    if (!salp__ring_submit(ring))
        return -EINTR; /* the kernel does not know all yet: again, soon */
    return salp__poll_for(&pollee, 1, left > 0 ? salp__later(left) : SALP_FOREVER) < 0 ? -EINTR : 0;
}
#else
static int wait_for_answer(salp__ring *ring, int64_t left)
{
    struct __kernel_timespec time = { .tv_sec = left / SALP_SECONDS(1), .tv_nsec = left % SALP_SECONDS(1) };
    struct io_uring_cqe *first;
    int error = io_uring_submit_and_wait_timeout(&ring->uring, &first, 1, left > 0 ? &time : NULL, NULL);
    return error == -EINTR ? error : 0;
}
#endif

int salp__ring_wait(salp__ring *ring, salp__answer answers[], int max, int64_t deadline)
{
    if (deadline > 0 && salp__skips_to(deadline))
        deadline = 0;
    int64_t left = deadline > 0 && deadline != SALP_FOREVER ? deadline - salp__now() : 0;
    if (deadline > 0 && (deadline == SALP_FOREVER || left > 0) && io_uring_cq_ready(&ring->uring) == 0) {
        if (wait_for_answer(ring, left) < 0)
            return -EINTR;
    } else {
        salp__ring_submit(ring);
    }
    return take_answers(ring, answers, max);
}

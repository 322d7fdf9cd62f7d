/* Download one address over many kept-alive connections and print what came, as one JSON line.
 *
 *   download_client HOST PORT PATH [-c connections] [-n requests | -t seconds] [-r bytes_per_second] [-H header]...
 *
 * The bytes are dropped inside the kernel (MSG_TRUNC), so that the client costs as little as it can.
 * With -r each connection reads at that rate: many slow readers. Exit 1 on wrong use, 0 otherwise; failed requests
 * are counted, not hidden. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { HEAD_MAX = 8192, READ_MAX = 1 << 20, EVENTS_MAX = 1024, FAILURES_MAX = 1000, SLICES_PER_SECOND = 10 };

typedef struct {
    int fd;
    bool in_body, closing, paused;
    int head_length;
    char head[HEAD_MAX + 1];
    long remaining;
    double resume_at;
} Connection;

static struct {
    struct sockaddr_in address;
    char request[HEAD_MAX];
    int request_length, connections, epoll;
    long requests_max;
    double seconds_max, rate;
} plan = {.connections = 1, .seconds_max = 1e9};

static long bytes_read, answered, refused, failed, begun;
static int open_connections, paused_connections;
static double last_byte_at;
static char sink[READ_MAX];

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void watch(Connection *c, unsigned events) {
    struct epoll_event e = {.events = events, .data.ptr = c};
    epoll_ctl(plan.epoll, EPOLL_CTL_MOD, c->fd, &e);
}

static bool more_to_begin(void) { return (plan.requests_max == 0 || begun < plan.requests_max) && failed < FAILURES_MAX; }

static void hang_up(Connection *c) {
    close(c->fd);
    c->fd = -1;
    open_connections--;
}

static bool ask(Connection *c) {
    c->in_body = false;
    c->head_length = 0;
    begun++;
    return send(c->fd, plan.request, (size_t)plan.request_length, MSG_NOSIGNAL) == plan.request_length;
}

static void dial(Connection *c) {
    int on = 1;
    c->fd = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    open_connections++;
    if (connect(c->fd, (struct sockaddr *)&plan.address, sizeof plan.address) != 0 || !ask(c)) {
        failed++;
        hang_up(c);
        return;
    }
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};
    epoll_ctl(plan.epoll, EPOLL_CTL_ADD, c->fd, &e);
}

static void fail(Connection *c) {
    failed++;
    hang_up(c);
    if (more_to_begin()) dial(c);
}

static void finish_response(Connection *c) {
    answered++;
    if (!more_to_begin()) {
        hang_up(c);
    } else if (c->closing) {
        hang_up(c);
        dial(c);
    } else if (!ask(c)) {
        fail(c);
    }
}

/* Take exactly the response head off the socket. False: not whole yet, or the connection was given up. */
static bool read_head(Connection *c) {
    char *start = c->head + c->head_length;
    ssize_t got = recv(c->fd, start, (size_t)(HEAD_MAX - c->head_length), MSG_PEEK | MSG_DONTWAIT);
    if (got < 0 && errno == EAGAIN) return false;
    if (got <= 0) return fail(c), false;
    start[got] = 0;
    char *end = strstr(c->head, "\r\n\r\n");
    long take = end ? end + 4 - start : got;
    if (recv(c->fd, start, (size_t)take, 0) != take) return fail(c), false;
    c->head_length += (int)take;
    c->head[c->head_length] = 0;
    if (!end) return c->head_length < HEAD_MAX ? false : (fail(c), false);
    char *length = strcasestr(c->head, "\r\ncontent-length:");
    if (!length || strncmp(c->head, "HTTP/1.", 7) != 0) return fail(c), false;
    c->remaining = atol(length + 17);
    c->closing = strcasestr(c->head, "\r\nconnection: close") != NULL;
    if (c->head[9] != '2') refused++;
    c->in_body = true;
    return true;
}

static void pause_reading(Connection *c, long got) {
    double t = now();
    if (c->resume_at < t - 1) c->resume_at = t;
    c->resume_at += (double)got / plan.rate;
    c->paused = true;
    paused_connections++;
    watch(c, 0);
}

static void read_body(Connection *c) {
    for (int turn = 0; turn < 8 && c->remaining > 0; turn++) {
        long want = plan.rate > 0 ? (long)(plan.rate / SLICES_PER_SECOND) : READ_MAX;
        if (want > c->remaining) want = c->remaining;
        ssize_t got = recv(c->fd, sink, (size_t)want, MSG_TRUNC | MSG_DONTWAIT);
        if (got < 0 && errno == EAGAIN) return;
        if (got <= 0) return fail(c);
        bytes_read += got;
        c->remaining -= got;
        last_byte_at = now();
        if (plan.rate > 0 && c->remaining > 0) return pause_reading(c, got);
    }
    if (c->remaining == 0) finish_response(c);
}

static void resume_due(Connection *all) {
    double t = now();
    for (int i = 0; i < plan.connections && paused_connections > 0; i++) {
        if (!all[i].paused || all[i].resume_at > t) continue;
        all[i].paused = false;
        paused_connections--;
        watch(&all[i], EPOLLIN);
    }
}

static void run(Connection *all, double until) {
    struct epoll_event events[EVENTS_MAX];
    while (open_connections > 0 && now() < until) {
        int count = epoll_wait(plan.epoll, events, EVENTS_MAX, paused_connections ? 5 : 100);
        for (int i = 0; i < count; i++) {
            Connection *c = events[i].data.ptr;
            if (c->paused) { /* gone while it waited for its turn */
                c->paused = false;
                paused_connections--;
            }
            if (c->in_body || read_head(c)) read_body(c);
        }
        resume_due(all);
    }
}

static int usage(void) {
    fprintf(stderr, "download_client HOST PORT PATH [-c connections] [-n requests] [-t seconds] [-r rate] [-H header]\n");
    return 1;
}

static int read_arguments(int count, char **given) {
    char headers[HEAD_MAX / 2] = "";
    if (count < 4) return usage();
    plan.address.sin_family = AF_INET;
    plan.address.sin_port = htons((unsigned short)atoi(given[2]));
    if (inet_pton(AF_INET, given[1], &plan.address.sin_addr) != 1) return usage();
    for (int i = 4; i < count; i += 2) {
        if (i + 1 == count || given[i][0] != '-') return usage();
        const char *value = given[i + 1];
        switch (given[i][1]) {
        case 'c': plan.connections = atoi(value); break;
        case 'n': plan.requests_max = atol(value); break;
        case 't': plan.seconds_max = atof(value); break;
        case 'r': plan.rate = atof(value); break;
        case 'H':
            if (strlen(headers) + strlen(value) + 3 > sizeof headers) return usage();
            strcat(strcat(headers, value), "\r\n");
            break;
        default: return usage();
        }
    }
    plan.request_length = snprintf(plan.request, sizeof plan.request, "GET %s HTTP/1.1\r\nHost: %s:%s\r\n%s\r\n",
                                   given[3], given[1], given[2], headers);
    return plan.request_length < (int)sizeof plan.request && plan.connections > 0 ? 0 : usage();
}

int main(int count, char **given) {
    if (read_arguments(count, given) != 0) return 1;
    Connection *all = calloc((size_t)plan.connections, sizeof *all);
    plan.epoll = epoll_create1(0);
    double start = last_byte_at = now();
    for (int i = 0; i < plan.connections && more_to_begin(); i++) dial(&all[i]);
    run(all, start + plan.seconds_max);
    double seconds = (open_connections > 0 ? now() : last_byte_at) - start;
    int served = 0;
    for (int i = 0; i < plan.connections; i++) served += all[i].fd > 0 && all[i].in_body;
    printf("{\"seconds\": %.6f, \"bytes_read\": %ld, \"answered\": %ld, \"refused\": %ld, \"failed\": %ld, \"served\": %d}\n",
           seconds, bytes_read, answered, refused, failed, served);
    return 0;
}

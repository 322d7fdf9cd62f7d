/* The limit of what a download can cost: epoll, sendfile, and nothing else.
 *
 *   bare_server FOLDER CONGESTION
 *
 * Listens on a free loopback port, prints it, and serves GET /NAME from FOLDER. It authorises nobody, counts nothing,
 * parses no more than the name, and is no server for anything but this comparison. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { REQUEST_MAX = 8192, EVENTS_MAX = 512, QUANTUM = 4 << 20, CORK_MIN = 8 << 20, UNSENT_MAX = 1 << 20 };

typedef struct {
    int fd, file;
    int length;
    char request[REQUEST_MAX + 1];
    off_t offset;
    off_t remaining;
} Connection;

static int epoll, folder;

static void drop(Connection *c) {
    if (c->file >= 0) close(c->file);
    close(c->fd);
    free(c);
}

static void watch(Connection *c, unsigned events) {
    struct epoll_event e = {.events = events, .data.ptr = c};
    epoll_ctl(epoll, EPOLL_CTL_MOD, c->fd, &e);
}

static void set(Connection *c, int option, int value) { setsockopt(c->fd, IPPROTO_TCP, option, &value, sizeof value); }

static void push(Connection *c) {
    long budget = QUANTUM;
    while (c->remaining > 0 && budget > 0) {
        ssize_t moved = sendfile(c->fd, c->file, &c->offset, (size_t)(c->remaining < budget ? c->remaining : budget));
        if (moved < 0 && errno == EAGAIN) break;
        if (moved <= 0) return drop(c);
        c->remaining -= moved;
        budget -= moved;
    }
    if (c->remaining > 0) return watch(c, EPOLLOUT);
    set(c, TCP_CORK, 0);
    close(c->file);
    c->file = -1;
    c->length = 0;
    watch(c, EPOLLIN);
}

static void answer(Connection *c) {
    char name[256], head[256];
    struct stat facts;
    if (sscanf(c->request, "GET /%255[^ /] HTTP/1.1", name) != 1) return drop(c);
    c->file = openat(folder, name, O_RDONLY);
    if (c->file < 0 || fstat(c->file, &facts) != 0) return drop(c);
    c->offset = 0;
    c->remaining = facts.st_size;
    set(c, TCP_CORK, facts.st_size >= CORK_MIN);
    int size = snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\nContent-Length: %ld\r\n\r\n", (long)facts.st_size);
    if (send(c->fd, head, (size_t)size, MSG_MORE | MSG_NOSIGNAL) != size) return drop(c);
    push(c);
}

static void hear(Connection *c) {
    ssize_t got = recv(c->fd, c->request + c->length, (size_t)(REQUEST_MAX - c->length), 0);
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) return drop(c);
    c->length += (int)got;
    c->request[c->length] = 0;
    if (strstr(c->request, "\r\n\r\n")) answer(c);
}

static void welcome(int listener) {
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
    if (fd < 0) return;
    Connection *c = calloc(1, sizeof *c);
    c->fd = fd;
    c->file = -1;
    set(c, TCP_NODELAY, 1);
    set(c, TCP_NOTSENT_LOWAT, UNSENT_MAX);
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};
    epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e);
}

static int listen_on_loopback(const char *congestion) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(listener, IPPROTO_TCP, TCP_CONGESTION, congestion, (socklen_t)strlen(congestion));
    if (bind(listener, (struct sockaddr *)&address, size) != 0 || listen(listener, 1024) != 0) return -1;
    getsockname(listener, (struct sockaddr *)&address, &size);
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    return listener;
}

int main(int count, char **given) {
    if (count != 3 || (folder = open(given[1], O_PATH | O_DIRECTORY)) < 0) return 1;
    signal(SIGPIPE, SIG_IGN);
    epoll = epoll_create1(0);
    int listener = listen_on_loopback(given[2]);
    if (listener < 0) return 1;
    struct epoll_event events[EVENTS_MAX], first = {.events = EPOLLIN, .data.ptr = NULL};
    epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &first);
    for (;;) {
        int ready = epoll_wait(epoll, events, EVENTS_MAX, -1);
        for (int i = 0; i < ready; i++) {
            Connection *c = events[i].data.ptr;
            if (c == NULL) welcome(listener);
            else if (c->file >= 0) push(c);
            else hear(c);
        }
    }
}

// The one function of libuv that native-watchdog calls. Node exports it, but its headers are not
// on npm, and the whole of libuv's would be another package to install.
#pragma once
#include <pthread.h>

typedef pthread_t uv_thread_t;
extern "C" int uv_thread_create(uv_thread_t *thread, void (*entry)(void *), void *argument);

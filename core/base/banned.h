/*
 * banned - included before everything else by the compiler's -include: functions that have no
 * bound, hide state, or cannot report an error do not compile here.
 */
#ifndef NANOTIK_BANNED_H
#define NANOTIK_BANNED_H

#ifndef __cplusplus
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#pragma GCC poison strcpy strcat strncpy strncat sprintf vsprintf strtok atoi atol gmtime localtime
#endif

#endif

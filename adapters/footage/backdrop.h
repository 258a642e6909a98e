/*
 * backdrop - the last footage source: a painted picture for any scene.
 *
 * What:    footage_source "backdrop": always one hit, painted by core/video from the film's seed
 *          ("auto:SCENE": another look per scene, colours of one family per film). Never fails,
 *          needs nothing.
 * Threads: stateless; any.
 */
#ifndef NANOTIK_BACKDROP_SOURCE_H
#define NANOTIK_BACKDROP_SOURCE_H

#include "core/base/base.h"
#include "core/port/footage.h"

bool backdrop_source_create(struct footage_source *ret);

#endif

/*
 * local - the person's own clips and photos (NANOTIK_FOOTAGE_DIR).
 *
 * What:    footage_source "local": every usable file of the folder and its sub-folders (4 deep,
 *          5,000 files), most fitting first. What fits is decided by words of the file's name (and
 *          its folders') that the scene's terms or narration share; clips of which nothing fits are
 *          still offered, those first that the chat did not see lately, then as the seed decides; none
 *          twice while another is unused.
 *          Types go by content: MP4/MOV, Matroska/WebM, JPEG, PNG, WebP. Symbolic links count only
 *          when they stay inside the folder. The folder is looked at again when it changes, and
 *          every minute.
 * Owner:   ops->destroy.
 * Threads: search and fetch from any thread.
 * Fails:   create: ERR_CONFIG "start.footage_dir" (arg: the folder). fetch: ERR_NOT_FOUND
 *          "footage.gone" (arg: file) when the file went away or left the folder.
 */
#ifndef NANOTIK_LOCAL_FOOTAGE_H
#define NANOTIK_LOCAL_FOOTAGE_H

#include "core/base/base.h"
#include "core/base/err.h"
#include "core/port/footage.h"

bool local_footage_create(const char *dir, struct footage_source *ret, struct err *e);

#endif

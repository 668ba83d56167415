// The tiles of AMX that this thread has in use. While they are, the system saves 8 KiB more at every
// switch of threads, and the core may not rest as deeply.
#pragma once

namespace darter {

// Set by who configures tiles: gives them back. Null where none are in use. parallel_for calls it
// when a thread has done its share of a loop.
using ReleaseTiles = void (*)();
extern constinit thread_local ReleaseTiles release_tiles;

}  // namespace darter

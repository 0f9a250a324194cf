// Hashes of topics and of their levels, seeded: nobody outside can choose texts that collide. For
// the .cc files of the router.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace shoal {

inline uint64_t text_hash(std::string_view text, uint64_t seed) {
  return XXH3_64bits_withSeed(text.data(), text.size(), seed);
}

// The hash of a path one level longer. `level` is the level's text_hash, or kPlusLevel.
constexpr uint64_t kPlusLevel = 0x6A09E667F3BCC909;  // no level's but by a chance of 2^-64
inline uint64_t longer_path(uint64_t path, uint64_t level) {
  uint64_t hash = (path ^ (path >> 31)) * 0x9FB21C651E98DF25 + level;
  hash = (hash ^ (hash >> 33)) * 0xC2B2AE3D27D4EB4F;
  return hash ^ (hash >> 29);
}

}  // namespace shoal

// What a backup's keys and values are stored in: chunks, named by the hash of what they hold.
//
// A chunk ends where a key says so by its hash, and not after so many bytes: so a change makes other
// chunks only near it, and what is the same as in an earlier backup has the same name and is there
// already (docs/decisions/0006-backup.md).
#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace shoal::backup {

constexpr size_t kChunkBytesMin = size_t{256} * 1024;
constexpr size_t kChunkBytesWanted = size_t{1024} * 1024;   // of chunks of many small keys, about
constexpr size_t kChunkBytesMax = size_t{4} * 1024 * 1024;  // one value more may come on top

// Of one shard, or of the retained messages: keys that ascend, with their values.
class ChunkCutter {
 public:
  // Empty, or the contents of the chunk that ends with this key.
  std::string add(std::string_view key, std::string_view value);
  // What is left, maybe nothing. It may begin anew then.
  std::string finish();

 private:
  std::string contents_;
};

// How contents stand in the target: a header with the format's version, compressed.
std::string chunk_of(std::string_view contents);
// Or what is wrong. `bytes`: the contents' size as it is known from elsewhere.
absl::StatusOr<std::string> contents_of(std::string_view chunk, uint64_t bytes);
// False: they are not what a ChunkCutter gives.
bool visit_contents(std::string_view contents,
                    const std::function<void(std::string_view key, std::string_view value)>& visit);

// Two digits a byte, in lower case.
std::string hex_of(std::string_view bytes);
// 64 hexadecimal digits of SHA-256.
std::string hash_of(std::string_view bytes);
// The object's name of a chunk with these contents.
std::string chunk_name(const std::string& hash);

}  // namespace shoal::backup

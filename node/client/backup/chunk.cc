#include "node/client/backup/chunk.h"

#include <openssl/evp.h>
#include <zstd.h>

#include <algorithm>
#include <utility>

#include "node/rules/topic_hash.h"
#include "node/rules/wire_bytes.h"
#include "shoal/byte_view.h"

namespace shoal::backup {
namespace {

// Never another one: with it all chunks would be new ones.
constexpr uint64_t kCutSeed = 0x73686f616c626b31;

constexpr std::string_view kMagic = "shoalbk";
constexpr char kChunkVersion = 1;
constexpr int kCompressionLevel = 3;

void append_number(uint64_t value, std::string& out) {
  uint8_t buffer[kWireVarintSizeMax];
  const uint8_t* const end = put_varint(value, buffer);
  out.append(reinterpret_cast<const char*>(buffer), static_cast<size_t>(end - buffer));
}

void append_sized_bytes(std::string_view bytes, std::string& out) {
  append_number(bytes.size(), out);
  out += bytes;
}

// By chance, but for one key and size always the same: a chunk goes on for kChunkBytesWanted on an
// average.
bool is_end(std::string_view key, size_t bytes) {
  const uint64_t drawn = text_hash(key, kCutSeed) >> 32;
  return drawn * kChunkBytesWanted < uint64_t{std::min(bytes, kChunkBytesWanted)} << 32;
}

}  // namespace

std::string ChunkCutter::add(std::string_view key, std::string_view value) {
  const size_t before = contents_.size();
  append_sized_bytes(key, contents_);
  append_sized_bytes(value, contents_);
  const bool ends = contents_.size() >= kChunkBytesMax ||
                    (contents_.size() >= kChunkBytesMin && is_end(key, contents_.size() - before));
  return ends ? std::exchange(contents_, {}) : std::string();
}

std::string ChunkCutter::finish() { return std::exchange(contents_, {}); }

std::string chunk_of(std::string_view contents) {
  std::string chunk(kMagic);
  chunk += kChunkVersion;
  const size_t begin = chunk.size();
  chunk.resize(begin + ZSTD_compressBound(contents.size()));
  const size_t size = ZSTD_compress(chunk.data() + begin, chunk.size() - begin, contents.data(),
                                    contents.size(), kCompressionLevel);
  chunk.resize(begin + size);
  return chunk;
}

absl::StatusOr<std::string> contents_of(std::string_view chunk, uint64_t bytes) {
  if (!chunk.starts_with(kMagic) || chunk.size() <= kMagic.size()) {
    return absl::DataLossError("is no chunk of a backup");
  }
  const char version = chunk[kMagic.size()];
  if (version != kChunkVersion) {
    return absl::DataLossError("is of format " + std::to_string(static_cast<uint8_t>(version)) +
                               ", this program knows 1");
  }
  chunk.remove_prefix(kMagic.size() + 1);
  // What it says itself, before memory is taken for it.
  if (ZSTD_getFrameContentSize(chunk.data(), chunk.size()) != bytes) {
    return absl::DataLossError("is damaged");
  }
  std::string contents(bytes, '\0');
  const size_t size = ZSTD_decompress(contents.data(), contents.size(), chunk.data(), chunk.size());
  if (ZSTD_isError(size) || size != bytes) return absl::DataLossError("is damaged");
  return contents;
}

bool visit_contents(
    std::string_view contents,
    const std::function<void(std::string_view key, std::string_view value)>& visit) {
  WireSource source(bytes_of(contents));
  while (source.left() > 0) {
    const std::string_view key = source.sized_text();
    const std::string_view value = source.sized_text();
    if (!source.ok()) return false;
    visit(key, value);
  }
  return source.ok();
}

std::string hex_of(std::string_view bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (const uint8_t byte : bytes_of(bytes)) text += {kDigits[byte >> 4], kDigits[byte & 15]};
  return text;
}

std::string hash_of(std::string_view bytes) {
  uint8_t digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  EVP_Digest(bytes.data(), bytes.size(), digest, &size, EVP_sha256(), nullptr);
  return hex_of(text_of({digest, size}));
}

std::string chunk_name(const std::string& hash) {
  return "chunks/" + hash.substr(0, 2) + "/" + hash;
}

}  // namespace shoal::backup

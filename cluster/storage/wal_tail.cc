#include "cluster/storage/wal_tail.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string_view>
#include <system_error>

namespace shoal::storage {
namespace {

// A log is blocks; a record is a header (checksum 4 bytes, length 2, type 1; little-endian) and its
// bytes, and lies within a block. Longer writes are several records.
constexpr size_t kBlock = 32 * 1024;
constexpr size_t kHeader = 7;
constexpr uint8_t kTypeMax = 4;

constexpr std::array<uint32_t, 256> crc32c_table() {
  std::array<uint32_t, 256> table{};
  for (uint32_t i = 0; i < 256; ++i) {
    uint32_t crc = i;
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (crc & 1 ? 0x82F63B78u : 0);
    table[i] = crc;
  }
  return table;
}

// As RocksDB stores it: masked, because checksums of checksums are weak.
uint32_t masked_crc32c(std::string_view bytes) {
  static constexpr std::array<uint32_t, 256> kTable = crc32c_table();
  uint32_t crc = ~0u;
  for (const char c : bytes) crc = kTable[(crc ^ static_cast<uint8_t>(c)) & 0xff] ^ crc >> 8;
  crc = ~crc;
  return (crc >> 15 | crc << 17) + 0xA282EAD8u;
}

uint32_t little_endian(std::string_view bytes, size_t at, size_t size) {
  uint32_t value = 0;
  for (size_t i = size; i-- > 0;) value = value << 8 | static_cast<uint8_t>(bytes[at + i]);
  return value;
}

size_t block_end(std::string_view log, size_t at) {
  return std::min(log.size(), (at / kBlock + 1) * kBlock);
}

// Where the record at `at` would end; its header is there.
size_t record_end(std::string_view log, size_t at) {
  return at + kHeader + little_endian(log, at + 4, 2);
}

bool is_whole_record(std::string_view log, size_t at) {
  const uint8_t type = static_cast<uint8_t>(log[at + 6]);
  const size_t end = record_end(log, at);
  if (type == 0 || type > kTypeMax || end > block_end(log, at)) return false;
  return masked_crc32c(log.substr(at + 6, end - at - 6)) == little_endian(log, at, 4);
}

// Where the log's last record begins, if it reaches past the end; otherwise the log's size.
size_t cut_short_at(std::string_view log) {
  size_t at = 0;
  while (at + kHeader <= log.size()) {
    const size_t left = block_end(log, at) - at;
    if (left < kHeader) {
      at += left;
      continue;
    }
    const size_t end = record_end(log, at);
    if (end > log.size()) return at;
    if (end > block_end(log, at) || log[at + 6] == 0) break;
    at = end;
  }
  return log.size();
}

bool is_damaged(std::string_view log) {
  for (size_t at = cut_short_at(log) + 1; at + kHeader <= log.size(); ++at) {
    if (block_end(log, at) - at >= kHeader && is_whole_record(log, at)) return true;
  }
  return false;
}

}  // namespace

absl::Status check_wal_tails(const std::string& directory) {
  std::error_code error;
  for (const auto& each : std::filesystem::directory_iterator(directory, error)) {
    if (each.path().extension() != ".log") continue;
    std::ifstream file(each.path(), std::ios::binary);
    const std::string log{std::istreambuf_iterator<char>(file), {}};
    if (is_damaged(log)) {
      return absl::DataLossError(each.path().string() +
                                 ": a damaged record stands before others that are whole");
    }
  }
  return absl::OkStatus();  // a directory that is not there, or cannot be read, fails to open
}

}  // namespace shoal::storage

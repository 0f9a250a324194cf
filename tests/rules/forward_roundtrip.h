// What must hold for any bytes that parse_forward_batch accepts; for tests and the fuzzer.
#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "node/rules/forward_batch.h"

namespace shoal {

constexpr Instant kReadAt{5'000'000'000};

inline std::vector<uint8_t> bytes_of(const std::string& text) { return {text.begin(), text.end()}; }

inline std::vector<SharedPick> picks_of(const ForwardRecord& record) {
  std::vector<SharedPick> out;
  SharedPicks picks = record.picks;
  for (SharedPick pick; picks.next(pick);) out.push_back(pick);
  return out;
}

// The records of `batch`, written again, joined (a writer may cut them into several batches).
inline std::vector<uint8_t> rewrite_records(const ForwardBatch& batch) {
  ForwardBatchWriter writer(batch.origin_worker);
  ForwardBatchReader reader(batch, kReadAt);
  for (ForwardRecord record; reader.next(record);) {
    const std::vector<SharedPick> picks = picks_of(record);
    if (record.large) {
      writer.append_large(record.large, record.worker_mask, picks, kReadAt);
    } else {
      writer.append(record.message, record.worker_mask, picks, kReadAt);
    }
  }
  if (!reader.ok()) return {};
  std::vector<ForwardBatchRef> batches;
  writer.finish(batches);
  std::vector<uint8_t> joined;
  for (const ForwardBatchRef& each : batches) {
    joined.insert(joined.end(), each->records.begin() + (joined.empty() ? 0 : 1),
                  each->records.end());
  }
  return joined;
}

// Null when all is well, otherwise what is wrong.
inline const char* check_accepted_batch(std::span<const uint8_t> bytes,
                                        ParsedForwardBatch& parsed) {
  ForwardBatch& batch = *parsed.batch;
  std::string again;
  serialize(batch, again);
  if (bytes_of(again) != std::vector<uint8_t>(bytes.begin(), bytes.end()))
    return "serialize differs";
  if (parsed.large_bytes > 0) {
    constexpr uint64_t kSmall = 1 << 20;  // a claim, not checked: do not allocate it
    if (parsed.large_bytes > kSmall) return nullptr;
    const size_t size = static_cast<size_t>(parsed.large_bytes);
    SharedBytes large(new uint8_t[size]());
    if (attach_large(batch, large, size - 1, kReadAt)) return "took a part too few";
    if (!attach_large(batch, large, size, kReadAt)) return "refused its parts";
  }
  // Only what a later version appended may be lost by writing the records again.
  const std::vector<uint8_t> rewritten = rewrite_records(batch);
  if (rewritten.empty()) return "a reader refuses what was parsed";
  if (rewritten.size() > batch.records.size()) return "records grew";
  if (rewritten.size() == batch.records.size() && rewritten != batch.records) {
    return "records were not in their one form";
  }
  return nullptr;
}

}  // namespace shoal

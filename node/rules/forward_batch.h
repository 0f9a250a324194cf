// The inside of a ForwardBatch: its records, as a worker writes them and as the workers of another
// place read them, and its form between two nodes. forward_format.h has the layout.
//
// Bytes from another node are hostile until parse_forward_batch has accepted them: it walks every
// record once, after which a reader fails only on a bug of ours.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "shoal/limits.h"
#include "shoal/message.h"
#include "shoal/peers.h"
#include "shoal/types.h"

namespace shoal {

// The picked place of a shared subscription, and which: the whole "$share/NAME/FILTER".
struct SharedPick {
  WorkerIndex worker = 0;
  std::string_view filter;
  bool operator==(const SharedPick&) const = default;
};

// ---- writing ------------------------------------------------------------------------------------

// Whether a message is forwarded by reference and on the bulk lane. Its properties count: nothing
// but the packet's size bounds them.
inline bool travels_by_reference(const MessageView& message, const Limits& limits) {
  return message.properties.size() + message.payload.size() >= limits.large_payload;
}

// What one worker sends to one node (or to the other workers of its own). Lives as long as the
// worker: its numbers go on from batch to batch. Steady use allocates a batch and its records.
class ForwardBatchWriter {
 public:
  // A batch that reached this is closed and the next begun, so that a peer's credit is not asked
  // for in lumps.
  static constexpr size_t kBatchBytes = 64 * 1024;

  explicit ForwardBatchWriter(WorkerIndex origin) : origin_(origin) {}

  // For the workers in `worker_mask`, each of which matches its plain subscriptions, and for the
  // members of shared subscriptions at `picks`; one of the two is not empty. What is left of the
  // message's expiry is counted from `now`. Returns its number: QoS > 0 has one, 0 stands for none.
  uint64_t append(const MessageView& message, uint64_t worker_mask,
                  std::span<const SharedPick> picks, Instant now);
  // The same for a message that travels by reference: a batch of its own, and always a number.
  uint64_t append_large(MessageRef message, uint64_t worker_mask, std::span<const SharedPick> picks,
                        Instant now);

  bool empty() const { return closed_.empty() && !open_; }
  // Moves all batches since the last call to the end of `out`, in order.
  void finish(std::vector<ForwardBatchRef>& out);

 private:
  ForwardBatch& open();
  void close();
  uint64_t take_number(ForwardBatch& batch);

  std::shared_ptr<ForwardBatch> open_;
  std::vector<ForwardBatchRef> closed_;
  uint64_t next_number_ = 1;
  size_t reserve_ = 0;  // what the last batch took
  WorkerIndex origin_;
};

// A batch of one message, which may travel by reference.
ForwardBatchRef batch_of_one(WorkerIndex origin, const MessageRef& message, uint64_t worker_mask,
                             std::span<const SharedPick> picks, const Limits& limits, Instant now);

// ---- reading ------------------------------------------------------------------------------------

// The picks of a record; valid as long as the batch.
class SharedPicks {
 public:
  SharedPicks() = default;
  // `bytes` are `count` picks and nothing else.
  SharedPicks(std::span<const uint8_t> bytes, size_t count) : bytes_(bytes), count_(count) {}

  bool empty() const { return count_ == 0; }
  // False when there is none left.
  bool next(SharedPick& pick);

 private:
  std::span<const uint8_t> bytes_;
  size_t count_ = 0;
};

struct ForwardRecord {
  MessageView message;  // views into the batch
  uint64_t worker_mask = 0;
  SharedPicks picks;
  uint64_t number = 0;  // 0: not numbered
  // The message itself, when it travels by reference: to be kept instead of a copy of `message`.
  MessageRef large;
};

namespace forward_format {
struct RecordTotals;
}

class ForwardBatchReader {
 public:
  // What is left of a message's expiry is counted from `now`. The batch outlives this.
  ForwardBatchReader(const ForwardBatch& batch, Instant now);

  // False at the end, or at the first thing that is wrong.
  bool next(ForwardRecord& record);
  // After next() returned false: nothing was wrong, and all that the batch's header says holds.
  bool ok() const { return ok_; }

 private:
  friend struct ForwardBatchParser;
  bool step(ForwardRecord& record, forward_format::RecordTotals& totals);
  bool fail();
  bool finish();

  const ForwardBatch& batch_;
  Instant now_;
  std::span<const uint8_t> left_;
  // Seen until now:
  uint64_t workers_ = 0;
  uint64_t numbered_ = 0;
  uint32_t messages_ = 0;
  bool large_ = false;
  bool ok_ = true;
};

// ---- between nodes ------------------------------------------------------------------------------

// Appends the bytes of `batch`, without those that large_parts() names.
void serialize(const ForwardBatch& batch, std::string& out);
// What travels behind them, cut into pieces by the hub; empty for most batches. Void with the
// batch.
std::vector<std::span<const uint8_t>> large_parts(const ForwardBatch& batch);

struct ParsedForwardBatch {
  std::shared_ptr<ForwardBatch> batch;
  // So many bytes are still to come, for attach_large(). Not checked against any limit.
  uint64_t large_bytes = 0;
};
// None: the bytes are not what serialize() writes.
std::optional<ParsedForwardBatch> parse_forward_batch(std::span<const uint8_t> bytes);
// Takes the parts, joined, that a parsed batch says follow it. False when their size is not that;
// the batch is of no use then.
bool attach_large(ForwardBatch& batch, SharedBytes bytes, size_t size, Instant now);

}  // namespace shoal

#include "cluster/core/backing_up.h"

#include <absl/strings/str_format.h>

#include <utility>

#include "cluster/core/retained_record.h"

namespace shoal {
namespace {

using CutState = replica::BackupCut::State;

constexpr Duration kSilenceMax = Duration::seconds(60);
constexpr size_t kRetainedItems = 2'000;  // looked at for one portion
constexpr size_t kRetainedBytes = 512 * 1024;

}  // namespace

BackingUp::BackingUp(Context& context, HubStore& store, Retained& retained, Surroundings around)
    : context_(context), store_(store), retained_(retained), around_(std::move(around)) {}

// ---- what is asked ------------------------------------------------------------------------------

void BackingUp::begin(uint64_t token) {
  if (state_ == State::kTaking || state_ == State::kReading) {
    return around_.answer(
        token, false,
        absl::StrFormat("another backup is read from this node: it was asked for "
                        "%d s ago last, and ends after %d s",
                        (context_.now.mono - last_asked_).to_seconds(), kSilenceMax.to_seconds()));
  }
  if (const std::string why = around_.why_not(); !why.empty()) {
    return around_.answer(token, false, why);
  }
  finish();
  id_ = context_.random.next() | 1;
  begin_token_ = token;
  last_asked_ = context_.now.mono;
  state_ = State::kTaking;
  store_.begin_backup();
}

void BackingUp::give(uint64_t token, uint64_t backup, uint64_t number) {
  if (state_ == State::kNone || state_ == State::kTaking || backup != id_) {
    return around_.answer(token, false,
                          absl::StrFormat("there is no backup %016x here: it ended, or nothing was "
                                          "asked of it for %d s, or this node was started since",
                                          backup, kSilenceMax.to_seconds()));
  }
  last_asked_ = context_.now.mono;
  if (state_ == State::kLost) return around_.answer(token, false, why_);
  const bool is_next = number == number_ + 1 && !is_all_given_ && waiting_.empty();
  if (!is_next && (number != number_ || number == 0)) {
    return around_.answer(token, false,
                          absl::StrFormat("portion %d is not there: the last was %d%s", number,
                                          number_, is_all_given_ ? ", and the end" : ""));
  }
  if (!is_next && bytes_) return around_.answer(token, true, *bytes_);
  waiting_.push_back(token);
  if (!is_next) return;
  number_ = number;
  bytes_.reset();
  if (!cut()->is_all_given()) return cut()->ask_next(context_.now);
  proto::BackupPortion portion;
  add_retained(portion);
  give(std::move(portion));
}

void BackingUp::end(uint64_t token, uint64_t backup) {
  if (backup == id_ && state_ != State::kTaking) finish();
  around_.answer(token, true, "ended");
}

void BackingUp::finish() {
  if (state_ != State::kNone) store_.end_backup();
  for (const uint64_t token : std::exchange(waiting_, {})) {
    around_.answer(token, false, "the backup was ended");
  }
  state_ = State::kNone;
  id_ = number_ = 0;
  why_.clear();
  bytes_.reset();
  after_.clear();
  is_all_given_ = false;
}

// ---- what comes ---------------------------------------------------------------------------------

void BackingUp::on_turn() {
  if (state_ == State::kTaking) return on_taking();
  if (state_ == State::kReading) return on_reading();
}

void BackingUp::on_taking() {
  if (cut()->state() == CutState::kTaking) return;
  const bool is_made = cut()->state() == CutState::kMade;
  const std::string why = failure();
  last_asked_ = context_.now.mono;
  state_ = State::kReading;
  const std::string id = absl::StrFormat("%016x", id_);
  if (!is_made) finish();
  around_.answer(begin_token_, is_made, is_made ? id : "no cut of all shards: " + why);
}

void BackingUp::on_reading() {
  if (cut()->state() == CutState::kLost) return lose();
  if (std::optional<proto::BackupPortion> portion = cut()->take()) give(*std::move(portion));
}

std::string BackingUp::failure() const {
  const NodeId node = cut()->node();
  return cut()->why() + (node ? " (node " + around_.name_of(node) + ")" : "");
}

void BackingUp::lose() {
  why_ = "the backup is lost: " + failure();
  context_.log(HubEffects::Log::Level::kWarn, why_);
  state_ = State::kLost;
  bytes_.reset();
  for (const uint64_t token : std::exchange(waiting_, {})) around_.answer(token, false, why_);
}

void BackingUp::give(proto::BackupPortion&& portion) {
  bytes_ = portion.SerializeAsString();
  is_all_given_ = portion.end();
  for (const uint64_t token : std::exchange(waiting_, {})) around_.answer(token, true, *bytes_);
}

// Later than the shards' part, so all that was acknowledged before that is among them. What was removed
// is of no use to a cluster in which nobody was away.
void BackingUp::add_retained(proto::BackupPortion& portion) {
  const auto items = retained_.tree().items(after_, kRetainedItems, kRetainedBytes);
  portion.set_end(items.empty());
  for (const RetainedTree::Item& item : items) {
    const Message& message = *item.message;
    const bool is_over = message.payload().empty() || message.expires_at() <= context_.now.mono;
    after_ = std::string(message.topic());
    if (is_over) continue;
    proto::BackupPortion::Retained* const out = portion.add_retained();
    out->set_topic(after_);
    out->set_record(retained_record_of(message, item.stamp, expires_ms_of(message, context_.now))
                        .SerializeAsString());
  }
}

void BackingUp::on_tick() {
  const bool is_read = state_ == State::kReading || state_ == State::kLost;
  if (!is_read || context_.now.mono - last_asked_ <= kSilenceMax) return;
  context_.log(HubEffects::Log::Level::kWarn,
               absl::StrFormat("the backup ends: nothing was asked of it for %d s",
                               kSilenceMax.to_seconds()));
  finish();
}

}  // namespace shoal

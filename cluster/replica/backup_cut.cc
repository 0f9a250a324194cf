#include "cluster/replica/backup_cut.h"

#include <absl/strings/str_format.h>

#include <algorithm>
#include <utility>

namespace shoal::replica {
namespace {

using Ask = proto::BackupAsk;

constexpr Duration kTryPatience = Duration::seconds(3);
constexpr Duration kPatience = Duration::seconds(15);  // with all tries
constexpr Duration kPause = Duration::millis(200);
constexpr Duration kKeepInterval = Duration::seconds(5);
constexpr Duration kPortionPatience = Duration::seconds(20);
constexpr char kNoAnswer[] = "its node does not answer in time";

}  // namespace

BackupCut::BackupCut(uint32_t shards, uint64_t seed, Surroundings around)
    : random_(seed), around_(std::move(around)), parts_(shards) {}

uint64_t BackupCut::bytes() const {
  uint64_t sum = 0;
  for (const Part& each : parts_) sum += each.bytes;
  return sum;
}

// ---- taking it ----------------------------------------------------------------------------------

void BackupCut::begin(Now now) {
  gives_up_at_ = now.mono + kPatience;
  try_once(now);
}

void BackupCut::try_once(Now now) {
  for (uint32_t shard = 0; shard < parts_.size(); ++shard) {
    parts_[shard] = {.leader = around_.leader(shard)};
    if (!parts_[shard].leader.node) return begin_anew(shard, "it has no leader", now);
  }
  cut_ = random_.next() | 1;
  try_ends_ = now.mono + kTryPatience;
  begin_step(Ask::kHold);
}

void BackupCut::begin_step(Step step) {
  step_ = step;
  for (uint32_t shard = 0; shard < parts_.size(); ++shard) {
    parts_[shard].is_done = false;
    ask(shard, step);
  }
}

void BackupCut::ask(uint32_t shard, Step step, uint64_t number) {
  const Leader& leader = parts_[shard].leader;
  proto::BackupAsk message;
  message.set_shard(shard);
  message.set_cut(cut_);
  message.set_step(step);
  message.set_term(leader.term);
  message.set_number(number);
  around_.ask(leader.node, message);
}

void BackupCut::begin_anew(uint32_t shard, const std::string& why, Now now) {
  const bool gives_up = now.mono >= gives_up_at_;
  lose(shard, why);
  if (gives_up) return;
  state_ = State::kTaking;
  try_at_ = now.mono + kPause;
}

void BackupCut::lose(uint32_t shard, const std::string& why) {
  why_ = absl::StrFormat("shard %d: %s", shard, why);
  node_ = parts_[shard].leader.node;
  end();
  state_ = State::kLost;
}

void BackupCut::end() {
  if (cut_ == 0) return;
  for (uint32_t shard = 0; shard < parts_.size(); ++shard) ask(shard, Ask::kEnd);
  cut_ = 0;
  step_ = Ask::kNone;
  is_asked_ = false;
  portion_.reset();
}

void BackupCut::on_told(NodeId from, proto::BackupTold&& told, Now now) {
  const uint32_t shard = told.shard();
  if (cut_ == 0 || told.cut() != cut_ || shard >= parts_.size()) return;
  if (from != parts_[shard].leader.node) return;
  if (!told.refused().empty()) {
    if (state_ == State::kTaking) return begin_anew(shard, told.refused(), now);
    // Of one that was read nothing is kept any more.
    if (shard >= at_) lose(shard, told.refused());
    return;
  }
  if (told.step() == Ask::kPortion) return on_portion(shard, std::move(told));
  if (state_ == State::kTaking && told.step() == step_) on_step_done(shard, told, now);
}

void BackupCut::on_step_done(uint32_t shard, const proto::BackupTold& told, Now now) {
  Part& part = parts_[shard];
  part.is_done = true;
  if (step_ == Ask::kPin) {
    part.index = told.index();
    part.index_term = told.index_term();
    part.bytes = told.bytes();
  }
  if (!std::all_of(parts_.begin(), parts_.end(), [](const Part& each) { return each.is_done; })) {
    return;
  }
  if (step_ == Ask::kHold) return begin_step(Ask::kPin);
  if (step_ == Ask::kPin) return begin_step(Ask::kRelease);
  state_ = State::kMade;
  at_ = 0;
  keep_at_ = now.mono + kKeepInterval;
}

// ---- reading it ---------------------------------------------------------------------------------

void BackupCut::ask_next(Now now) {
  if (state_ != State::kMade || is_asked_ || is_all_given()) return;
  is_asked_ = true;
  portion_due_ = now.mono + kPortionPatience;
  ask(at_, Ask::kPortion, ++parts_[at_].number);
}

void BackupCut::on_portion(uint32_t shard, proto::BackupTold&& told) {
  Part& part = parts_[shard];
  const bool is_awaited = is_asked_ && shard == at_ && told.number() == part.number && !portion_;
  if (!is_awaited) return;
  if (told.keys_size() != told.values_size()) return lose(shard, "a portion is not well-formed");
  portion_.emplace();
  portion_->set_shard(shard);
  portion_->set_index(part.index);
  portion_->set_term(part.index_term);
  portion_->mutable_keys()->Swap(told.mutable_keys());
  portion_->mutable_values()->Swap(told.mutable_values());
  portion_->set_shard_done(told.done());
}

std::optional<proto::BackupPortion> BackupCut::take() {
  if (!portion_) return std::nullopt;
  is_asked_ = false;
  if (portion_->shard_done()) ask(at_++, Ask::kEnd);
  return std::exchange(portion_, std::nullopt);
}

// ---- what may befall it -------------------------------------------------------------------------

void BackupCut::on_peer_end(NodeId peer, Now now) {
  if (cut_ == 0) return;
  for (uint32_t shard = at_; shard < parts_.size(); ++shard) {
    if (parts_[shard].leader.node != peer) continue;
    constexpr char kWhy[] = "its node is out of reach";
    return state_ == State::kTaking ? begin_anew(shard, kWhy, now) : lose(shard, kWhy);
  }
}

void BackupCut::on_tick(Now now) {
  if (state_ == State::kTaking && cut_ == 0 && now.mono >= try_at_) return try_once(now);
  if (state_ == State::kTaking && cut_ != 0 && now.mono >= try_ends_) {
    const auto late =
        std::find_if(parts_.begin(), parts_.end(), [](const Part& each) { return !each.is_done; });
    const auto shard = static_cast<uint32_t>(late - parts_.begin());
    return begin_anew(shard, kNoAnswer, now);
  }
  if (state_ != State::kMade || cut_ == 0) return;
  if (is_asked_ && !portion_ && now.mono >= portion_due_) return lose(at_, kNoAnswer);
  if (now.mono < keep_at_) return;
  keep_at_ = now.mono + kKeepInterval;
  for (uint32_t shard = at_; shard < parts_.size(); ++shard) ask(shard, Ask::kKeep);
}

}  // namespace shoal::replica

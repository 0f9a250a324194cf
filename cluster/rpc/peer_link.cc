#include "cluster/rpc/peer_link.h"

#include <time.h>

#include <utility>

#include "cluster/rpc/frames.h"
#include "shoal/assert.h"

namespace shoal {
namespace {

// Of writes. Each way of a publish and its acknowledgement takes half of it where much comes, and nothing
// where a client waits for an answer before it sends the next.
constexpr Duration kControlSpacing{500'000};
constexpr Duration kForwardSpacing{500'000};
constexpr Duration kBulkSpacing{0};
// The other side has read what a closing link still sends, or is not waited for.
constexpr Duration kCloseWait = Duration::seconds(1);

}  // namespace

Instant now_for_lanes() {
  timespec time{};
  ::clock_gettime(CLOCK_BOOTTIME, &time);
  return {int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec};
}

PeerLink::PeerLink(LinkId id, bool dialed, std::string remote, Instant open_until, LinkHost& host)
    : id_(id),
      dialed_(dialed),
      remote_(std::move(remote)),
      open_until_(open_until),
      host_(host),
      lanes_{LaneState(kControlSpacing), LaneState(kForwardSpacing), LaneState(kBulkSpacing)} {}

bool PeerLink::attach(Lane lane, LaneStream& stream) {
  const std::lock_guard lock(mutex_);
  if (state_ != State::kOpening || at(lane).stream != nullptr) return false;
  at(lane).stream = &stream;
  ++attached_;
  return true;
}

void PeerLink::dial(const std::function<std::array<LaneStream*, kLaneCount>()>& start) {
  const std::lock_guard lock(mutex_);
  if (state_ != State::kOpening) return;
  const auto streams = start();
  for (size_t i = 0; i < streams.size(); ++i) lanes_[i].stream = streams[i];
  attached_ = kLaneCount;
}

void PeerLink::on_ready(Lane lane) {
  {
    const std::lock_guard lock(mutex_);
    SHOAL_ASSERT(at(lane).stream != nullptr);
    if (state_ != State::kOpening || ++ready_ < kLaneCount) return;
    state_ = State::kUp;
    came_up_ = true;
    for (LaneState& each : lanes_) each.stream->open();
  }
  // No lane is read before this, so that up comes before the first frame. Down cannot overtake it:
  // the stream whose callback this is has not ended yet.
  host_.on_up(*this);
  start_reads();
}

void PeerLink::start_reads() {
  const std::lock_guard lock(mutex_);
  if (state_ != State::kUp) return;
  for (LaneState& lane : lanes_) lane.stream->read(&lane.reading);
}

void PeerLink::on_read(Lane lane, bool ok) {
  if (!ok) return on_cancelled(lane);
  std::string batch;
  batch.swap(*at(lane).reading.mutable_frames());  // no read is in flight: it is ours
  if (!is_well_formed(batch)) return fail("the peer sent a malformed batch");
  host_.on_frames(*this, lane, std::move(batch));

  const std::lock_guard lock(mutex_);
  if (state_ == State::kFailing || at(lane).is_finished) return;
  at(lane).stream->read(&at(lane).reading);
}

void PeerLink::on_written(Lane lane, bool ok) {
  const std::lock_guard lock(mutex_);
  at(lane).write_in_flight = false;
  if (state_ == State::kFailing) return at(lane).stream->finish();
  if (!ok) return fail_locked("");
  if (state_ == State::kUp) return start_write_if_due(at(lane), now_for_lanes());
  if (lane == Lane::kControl) write_last();
}

void PeerLink::on_cancelled(Lane lane) {
  {
    const std::lock_guard lock(mutex_);
    if (at(lane).is_finished) return;  // by us; the other lanes end when the other side has read it
  }
  fail("");  // a dialled call's status says more, if anything does
}

void PeerLink::on_ended(const std::string& reason) {
  std::string why;
  {
    const std::lock_guard lock(mutex_);
    if (reason_.empty()) reason_ = reason;
    ++ended_;
    if (!is_over()) return;
    why = reason_.empty() ? "the peer closed the connection" : reason_;
  }
  host_.on_down(*this, why);
}

void PeerLink::send(Lane lane, std::span<const uint8_t> frame) {
  const std::lock_guard lock(mutex_);
  if (state_ != State::kUp) return;
  at(lane).out.append(frame, now_for_lanes());
  if (at(lane).out.bytes() > PeerTransport::kLaneBytesMax) {
    fail_locked("more waits for the peer than a lane may hold");
  }
}

Instant PeerLink::poll(Instant now) {
  std::unique_lock lock(mutex_);
  if (state_ == State::kFailing) return Instant::never();
  if (state_ == State::kOpening) {
    if (now < open_until_) return open_until_;
    lock.unlock();
    fail("no answer in time");
    return Instant::never();
  }
  if (state_ == State::kClosing) {
    if (now < close_until_) return close_until_;
    fail_locked("");
    return Instant::never();
  }
  Instant next = Instant::never();
  for (LaneState& lane : lanes_) {
    start_write_if_due(lane, now);
    // What is due but behind a write in flight starts when that is done.
    if (const Instant due = lane.out.due(); due > now) next = std::min(next, due);
  }
  return next;
}

void PeerLink::start_write_if_due(LaneState& lane, Instant now) {
  if (!lane.write_in_flight && lane.out.due() <= now) start_write(lane, now);
}

void PeerLink::start_write(LaneState& lane, Instant now) {
  lane.out.take(*lane.writing.mutable_frames(), now);
  lane.write_in_flight = true;
  lane.stream->write(&lane.writing);
}

size_t PeerLink::unsent_bytes() const {
  const std::lock_guard lock(mutex_);
  size_t sum = 0;
  for (const LaneState& lane : lanes_) sum += lane.out.bytes();
  return sum;
}

void PeerLink::fail(const std::string& reason) {
  bool over = false;
  {
    const std::lock_guard lock(mutex_);
    if (state_ == State::kFailing) return;
    fail_locked(reason);
    over = is_over();  // no call had begun: there is nobody else to say so
  }
  if (over) host_.on_down(*this, reason);
}

// A call that is cancelled takes with it what was written and is not sent yet. So the other side ends the
// calls, when it has read the last of the control lane; the other lanes are left as they are, or it might
// see their end first.
void PeerLink::close() {
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    if (state_ == State::kUp) {
      state_ = State::kClosing;
      close_until_ = now_for_lanes() + kCloseWait;
      return write_last();
    }
    if (state_ == State::kClosing) return;
  }
  fail("");
}

void PeerLink::write_last() {
  LaneState& control = at(Lane::kControl);
  if (control.write_in_flight) return;
  if (control.out.bytes() != 0) return start_write(control, now_for_lanes());
  control.is_finished = control.stream->end_writes();
}

bool PeerLink::is_worth_telling() const {
  const std::lock_guard lock(mutex_);
  return !closed_ && (dialed_ || came_up_);
}

// The calls that were attached say on_ended() once this is done.
void PeerLink::fail_locked(const std::string& reason) {
  if (state_ == State::kFailing) return;
  state_ = State::kFailing;
  if (reason_.empty()) reason_ = reason;
  for (LaneState& lane : lanes_) {
    if (lane.stream == nullptr || lane.is_finished) continue;
    lane.stream->cancel();
    if (!lane.write_in_flight) lane.stream->finish();
  }
}

}  // namespace shoal

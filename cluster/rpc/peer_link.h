// One link: three calls that live and die together. Whichever side dialled, a PeerLink sees its calls
// as LaneStreams. A single mutex guards a link: it is taken once a frame and once a read or write,
// each of which carries a batch.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "cluster/rpc/lane_buffer.h"
#include "cluster/rpc/peer_transport.h"
#include "proto/shoal/peer.pb.h"

namespace shoal {

// A gRPC call as its link drives it. Alive from attach() until finish().
class LaneStream {
 public:
  virtual void open() = 0;  // answers an accepted call; a dialled one has nothing to do
  virtual void read(rpc::Batch* into) = 0;
  virtual void write(const rpc::Batch* from) = 0;
  // Nothing is written after what was, which the other side gets. With no write in flight. True: the call
  // is finished with that, and the stream not to be used any more.
  virtual bool end_writes() = 0;
  virtual void cancel() = 0;  // reads and writes in flight end soon; no new ones
  virtual void finish() = 0;  // once, after cancel(), with no write in flight

 protected:
  ~LaneStream() = default;
};

class PeerLink;

// Told by links, on gRPC's threads, without the link's mutex.
class LinkHost {
 public:
  virtual void on_up(PeerLink& link) = 0;
  virtual void on_frames(PeerLink& link, Lane lane, std::string batch) = 0;
  virtual void on_down(PeerLink& link, const std::string& reason) = 0;  // nothing comes after it

 protected:
  ~LinkHost() = default;
};

class PeerLink {
 public:
  PeerLink(LinkId id, bool dialed, std::string remote, Instant open_until, LinkHost& host);

  LinkId id() const { return id_; }
  bool dialed() const { return dialed_; }
  const std::string& remote() const { return remote_; }

  // From the transport.
  void send(Lane lane, std::span<const uint8_t> frame);
  Instant poll(Instant now);
  size_t unsent_bytes() const;
  void fail(const std::string& reason);  // empty: whatever the streams' last words say
  // What was sent on the control lane still goes: it may say why. is_worth_telling() is false from now on.
  void close();
  bool is_worth_telling() const;  // to be asked in on_down()

  // From the streams.
  bool attach(Lane lane,
              LaneStream& stream);  // false: refused, the lane is taken or the link fails
  // Calls `start`, which starts all three calls, unless the link has failed already. What the calls
  // say meanwhile waits until they are attached.
  void dial(const std::function<std::array<LaneStream*, kLaneCount>()>& start);
  void on_ready(Lane lane);  // the call is answered (dialled) or attached (accepted)
  void on_read(Lane lane, bool ok);
  void on_written(Lane lane, bool ok);
  void on_cancelled(Lane lane);
  void on_ended(const std::string& reason);  // a stream's last word; one a stream

 private:
  enum class State : uint8_t { kOpening, kUp, kClosing, kFailing };

  struct LaneState {
    explicit LaneState(Duration spacing) : out(spacing) {}
    LaneStream* stream = nullptr;
    LaneBuffer out;
    rpc::Batch reading;
    rpc::Batch writing;
    bool write_in_flight = false;
    bool is_finished = false;  // before the link fails
  };

  LaneState& at(Lane lane) { return lanes_[static_cast<size_t>(lane)]; }
  void start_reads();
  void start_write_if_due(LaneState& lane, Instant now);
  void start_write(LaneState& lane, Instant now);
  void write_last();
  void fail_locked(const std::string& reason);
  bool is_over() const { return state_ == State::kFailing && ended_ == attached_; }

  const LinkId id_;
  const bool dialed_;
  const std::string remote_;
  const Instant open_until_;
  LinkHost& host_;

  mutable std::mutex mutex_;
  State state_ = State::kOpening;
  bool came_up_ = false;
  bool closed_ = false;
  int attached_ = 0;
  int ready_ = 0;
  int ended_ = 0;
  Instant close_until_{};
  std::string reason_;
  std::array<LaneState, kLaneCount> lanes_;
};

// This machine's clock, the one that Instants are of.
Instant now_for_lanes();

}  // namespace shoal

// A node of the tests of links: a transport over loopback, and all that its sink heard.
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "cluster/rpc/frames.h"
#include "cluster/rpc/peer_link.h"
#include "cluster/rpc/peer_transport.h"
#include "shoal/assert.h"
#include "tests/certificates/test_authority.h"

namespace shoal {

constexpr auto kNodePatience = std::chrono::seconds(20);  // loaded machines, sanitizers

class Node : public LinkSink {
 public:
  explicit Node(PeerTransportOptions options) {
    auto started = PeerTransport::start(options, *this);
    SHOAL_ASSERT(started.ok());
    transport_ = *std::move(started);
  }
  ~Node() { stop(); }  // before what its callbacks write to
  static PeerTransportOptions insecure() { return {.listen = "127.0.0.1:0", .insecure = true}; }
  static PeerTransportOptions secure(const TestCertificate& files) {
    return {.listen = "127.0.0.1:0", .certificates = {files.cert, files.key, files.ca}};
  }

  PeerTransport& transport() { return *transport_; }
  std::string address() const { return "127.0.0.1:" + std::to_string(transport_->port()); }
  LinkId dial(const std::string& address) {
    transport_->dial(++last_dialled_, address);
    return last_dialled_;
  }
  void stop() { transport_.reset(); }
  void close() {
    {
      const std::lock_guard lock(mutex_);
      closed_ = up_;  // what is still heard of it counts for nothing
    }
    transport_->close(closed_);
  }
  // From now on its sink takes nothing, until it is told to again.
  void stand_still(bool stands) {
    const std::lock_guard lock(standing_mutex_);
    stands_ = stands;
    moves_.notify_all();
  }

  // Lets the transport work until `done` holds of what was heard.
  template <typename Done>
  bool wait(Done&& done) {
    const auto give_up = std::chrono::steady_clock::now() + kNodePatience;
    while (std::chrono::steady_clock::now() < give_up) {
      if (transport_) {
        transport_->poll(now_for_lanes());
        transport_->let_go();
      }
      std::unique_lock lock(mutex_);
      if (done()) return true;
      changed_.wait_for(lock, std::chrono::microseconds(200));
    }
    return false;
  }
  bool wait_up() {
    return wait([this] { return up_ != 0; });
  }
  bool wait_down() {
    return wait([this] { return down_ != 0; });
  }
  bool wait_frames(Lane lane, size_t count) {
    return wait([this, lane, count] { return frames(lane).size() >= count; });
  }
  // After the waits: nothing is heard meanwhile that a test looks at.
  LinkId up() const { return up_; }
  LinkId down() const { return down_; }
  bool dialed() const { return dialed_; }
  const std::string& reason() const { return reason_; }
  std::vector<std::string>& frames(Lane lane) { return frames_[static_cast<size_t>(lane)]; }
  size_t batches() const { return batches_; }
  void forget() {
    const std::lock_guard lock(mutex_);
    up_ = down_ = 0;
    reason_.clear();
  }

  void on_link_up(LinkId link, bool dialed, std::string) override {
    const std::lock_guard lock(mutex_);
    up_ = link;
    dialed_ = dialed;
    changed_.notify_all();
  }
  void on_frames(LinkId link, Lane lane, std::string batch) override {
    std::unique_lock standing(standing_mutex_);
    moves_.wait(standing, [this] { return !stands_; });
    standing.unlock();
    const std::lock_guard lock(mutex_);
    if (link == closed_) return;
    EXPECT_EQ(link, up_);
    EXPECT_EQ(down_, 0u);
    ++batches_;
    FrameReader reader(batch);
    while (const auto frame = reader.next()) {
      frames(lane).emplace_back(frame->begin(), frame->end());
    }
    changed_.notify_all();
  }
  void on_link_down(LinkId link, std::string reason) override {
    const std::lock_guard lock(mutex_);
    EXPECT_EQ(down_, 0u);
    down_ = link;
    reason_ = std::move(reason);
    changed_.notify_all();
  }

 private:
  std::unique_ptr<PeerTransport> transport_;
  std::mutex mutex_;
  std::condition_variable changed_;
  LinkId last_dialled_ = 0;
  LinkId up_ = 0;
  LinkId down_ = 0;
  LinkId closed_ = 0;
  bool dialed_ = false;
  std::string reason_;
  size_t batches_ = 0;
  std::array<std::vector<std::string>, kLaneCount> frames_;
  std::mutex standing_mutex_;
  std::condition_variable moves_;
  bool stands_ = false;
};

inline void connect(Node& from, Node& to) {
  from.dial(to.address());
  ASSERT_TRUE(from.wait_up()) << from.reason();
  ASSERT_TRUE(to.wait_up());
}

}  // namespace shoal

// A durable subscriber and a publisher at a node, as its worker speaks for them.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "tests/engine/engine_node.h"

namespace shoal::engine::test {

// Publishes "1", "2", ... at QoS 1 from a client that is not durable; a subscriber takes them.
class TestClients {
 public:
  static constexpr const char* kClient = "subscriber";
  explicit TestClients(EngineNode& node);

  // The subscriber connects; false: no answer came, or the store failed.
  bool connect(uint32_t expiry_s = 100'000);
  bool subscribe();
  bool detach();
  // Publishes on, `depth` of them unanswered, until so many are answered.
  bool publish(uint64_t count, uint64_t depth, const std::string& filler = "");
  // Until the subscriber has had this one.
  bool receive(uint64_t last);

  bool session_present() const { return session_present_; }
  uint64_t published() const { return published_; }  // the last one that was given to the node
  uint64_t answered() const { return answered_; }    // the last one before which all are answered
  void go_on_behind(uint64_t published) { published_ = answered_ = published; }
  const std::vector<uint64_t>& received() const { return received_; }
  // Called when answered() has grown.
  std::function<void()> on_answered = [] {};

  bool acknowledges = true;

 private:
  void on(SessionAttached& mail);
  void on(SessionEvict&) {}
  void on(SessionDone& mail);
  void on(SessionMessages& mail);
  bool run(uint64_t number);

  EngineNode& node_;
  uint64_t last_number_ = 0;
  uint64_t waits_ = 0;
  uint32_t connections_ = 0;
  SessionEpoch epoch_ = 0;
  bool session_present_ = false;
  uint64_t published_ = 0;
  uint64_t answered_ = 0;
  std::map<uint64_t, uint64_t> open_;  // by number
  std::vector<uint64_t> received_;
};

}  // namespace shoal::engine::test

// Clients of a StoreCluster, which say what brokers would say for them, and remember what they were
// promised and what they got.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "tests/replica/store_cluster.h"

namespace shoal::replica::test {

class Devices {
 public:
  Devices(StoreCluster& cluster, int subscribers, int publishers);

  // Goes on by itself until quiet(): connections come and go, messages are published.
  void run();
  void quiet();
  // After a while of quiet: all that was promised is there.
  void check();

  uint64_t acknowledged() const { return acknowledged_.size(); }
  uint64_t received() const { return received_; }

 private:
  struct Subscriber {
    std::string id;
    int node = -1;  // connected, or trying; -1: not
    ConnId conn;
    bool is_attached = false;
    SessionEpoch epoch = 0;
    uint64_t last_number = 0;  // on this connection
    Qos qos = Qos::k1;
    bool wants = false;                 // its subscription is acknowledged
    uint64_t subscribe_number = 0;      // waits for it
    uint64_t first = UINT64_MAX;        // the first message that it must get
    std::set<uint16_t> open;            // QoS 2: PUBLISH received, PUBREL not
    std::vector<std::string> received;  // first time, in order
    std::set<std::string> seen;
    std::map<uint64_t, uint64_t> pubrecs;  // ask number: message
  };
  struct Publisher {
    std::string id;
    int node = -1;
    ConnId conn;
    bool is_attached = false;
    SessionEpoch epoch = 0;
    uint16_t packet_id = 0;  // of the message that is on its way; 0: none
    std::string payload;
    bool is_released = false;  // PUBREC came
    uint64_t waits = 0;        // ask number
    uint64_t published = 0;
  };
  struct Live {
    uint64_t asked = 0;                          // numbers
    std::map<uint64_t, std::string> publishing;  // ask number: payload
    std::deque<std::string> outbox;
  };

  void step();
  void connect(Subscriber& subscriber);
  void connect(Publisher& publisher);
  void close(Subscriber& subscriber);
  void close(Publisher& publisher);
  void publish_live(int node);
  void go_on(Publisher& publisher);
  void on_mail(int node, FromStore&& mail);
  void on(int node, SessionAttached& mail);
  void on(int node, SessionEvict& mail);
  void on(int node, SessionDone& mail);
  void on(int node, SessionMessages& mail);
  void on_crash(int node);
  void receive(Subscriber& to, SessionMessage& message);
  void got(Subscriber& to, const std::string& payload);
  void check_connection(const Subscriber& of);
  void acknowledge(Subscriber& of, uint64_t message, SessionAckKind kind);
  void ack_was_done(Subscriber& of, uint64_t message);
  ConnId next_conn() { return {++conns_, 1}; }
  int any_node();
  uint64_t next_number(int node) { return ++live_[node].asked; }
  static MessageRef message_of(const std::string& payload, Qos qos);
  void promise(const std::string& payload) { acknowledged_.insert(payload); }
  SessionConnect connect_of(const std::string& id, ConnId conn);

  StoreCluster& cluster_;
  std::vector<Subscriber> subscribers_;
  std::vector<Publisher> publishers_;
  std::vector<Live> live_;  // of each node
  bool is_quiet_ = false;
  uint32_t conns_ = 0;
  uint64_t claims_ = 0;
  uint64_t messages_ = 0;
  uint64_t received_ = 0;
  std::map<std::string, uint64_t> numbers_;  // payload: when it was published
  std::set<std::string> acknowledged_;
};

}  // namespace shoal::replica::test

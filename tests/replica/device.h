// A client with a durable session: what a broker would say for it to the store, and what it keeps.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "shoal/session_store.h"
#include "tests/replica/promises.h"
#include "tests/replica/store_cluster.h"

namespace shoal::replica::test {

// With a payload that begins with this text: some are so long that they go in pieces.
MessageRef message_of(const std::string& text, Qos qos);

// The workers of the nodes, as far as they number what they ask.
class Workers {
 public:
  // `claims`: that were there before.
  Workers(StoreCluster& cluster, uint64_t claims) : cluster_(cluster), claims_(claims) {}

  StoreCluster& cluster() { return cluster_; }
  using Then = std::function<void(bool is_committed)>;
  // `mail` is any that has a number.
  template <class Mail>
  void ask(int node, WorkerIndex worker, Mail mail, Then then) {
    mail.number = ++asked_[{node, worker}];
    waiting_[{node, worker}][mail.number] = std::move(then);
    cluster_.ask(node, worker, std::move(mail));
  }
  void on_done(int node, WorkerIndex worker, const SessionDone& done);
  void on_crash(int node);
  ConnId next_conn() { return {++conns_, 1}; }
  Stamp next_claim() { return {++claims_, NodeId{1}}; }
  uint64_t claims() const { return claims_; }

 private:
  using Key = std::pair<int, WorkerIndex>;
  StoreCluster& cluster_;
  std::map<Key, uint64_t> asked_;
  std::map<Key, std::map<uint64_t, Then>> waiting_;
  uint32_t conns_ = 0;
  uint64_t claims_;
};

class Device {
 public:
  // A patient one waits for the answer to its CONNECT, however long that takes.
  Device(Workers& workers, Promises& promises, std::string id, bool is_patient);
  virtual ~Device() = default;

  const std::string& id() const { return id_; }
  bool is_away() const { return node_ < 0; }
  bool is_attached() const { return is_attached_; }
  bool is_patient() const { return is_patient_; }
  bool has_session() const { return has_session_; }

  void connect();
  void close();
  // Does what there is to do, every few milliseconds.
  virtual void go_on(bool is_quiet) = 0;
  virtual void check(std::vector<std::string>& violations) const = 0;

  void on(int node, WorkerIndex worker, const SessionAttached& mail);
  void on(int node, const SessionEvict& mail);
  void on(int node, SessionMessages& mail);
  void on_crash(int node);

 protected:
  virtual void on_attached() = 0;
  virtual void on_detached() = 0;
  virtual void on_messages(SessionMessages&) {}

  StoreCluster& cluster() { return workers_.cluster(); }
  const StoreCluster& cluster() const { return workers_.cluster(); }
  Random& random() { return cluster().world().random(); }
  void violate(const std::string& what) { cluster().violations.push_back(id_ + what); }
  // On this connection; when it is over, the answer is nobody's.
  template <class Mail>
  void ask(Mail mail, Workers::Then then) {
    mail.client_id = id_;
    mail.epoch = epoch_;
    workers_.ask(node_, worker_, std::move(mail),
                 [this, epoch = epoch_, then = std::move(then)](bool is_committed) {
                   if (is_attached_ && epoch_ == epoch) then(is_committed);
                 });
  }
  // Not numbered.
  void tell(ToStore mail) { cluster().ask(node_, worker_, std::move(mail)); }
  // In order.
  void after(Duration delay, std::function<void()> what);

  Workers& workers_;
  Promises& promises_;
  const std::string id_;
  int node_ = -1;  // connected, or trying; -1: not
  WorkerIndex worker_ = 0;
  SessionEpoch epoch_ = 0;

 private:
  void drop();

  const bool is_patient_;
  ConnId conn_;
  bool is_attached_ = false;
  bool has_session_ = false;  // something is stored, so it must be there
};

// Acknowledges what comes, each in its own time.
class Subscriber : public Device {
 public:
  struct Plan {
    std::string id;
    Qos qos = Qos::k1;
    bool shares = false;
    bool is_patient = false;
    Duration pace;
  };
  Subscriber(Workers& workers, Promises& promises, const Plan& plan);

  const Reader& reader() const { return reader_; }
  uint64_t received() const { return reader_.received.size(); }
  void go_on(bool) override {}
  void check(std::vector<std::string>& violations) const override;

 private:
  void on_attached() override;
  void on_detached() override {}
  void on_messages(SessionMessages& mail) override;
  void receive(const SessionMessage& message);
  void got(const std::string& payload);
  void acknowledge(uint64_t message, SessionAckKind kind);

  const Duration pace_;
  Reader reader_;
  uint64_t last_number_ = 0;  // on this connection
  std::set<uint16_t> open_;   // QoS 2: PUBLISH received, PUBREL not
};

// Publishes at QoS 2, many at once: PUBLISH again on each connection until PUBREC, then PUBREL until
// PUBCOMP.
class Publisher : public Device {
 public:
  using Device::Device;
  void go_on(bool is_quiet) override;
  void check(std::vector<std::string>& violations) const override;

 private:
  static constexpr size_t kWindow = 8;
  struct Open {
    uint16_t packet_id = 0;
    std::string payload;
    bool is_released = false;  // PUBREC came
    bool is_asked = false;     // on this connection
  };
  void on_attached() override;
  void on_detached() override {}
  void say(Open& open);
  Open* find(uint16_t packet_id);
  uint16_t unused_id();

  std::deque<Open> open_;
  uint16_t last_id_ = 0;
};

}  // namespace shoal::replica::test

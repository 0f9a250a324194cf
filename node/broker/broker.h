// The MQTT broker of one worker, without I/O: bytes, mail, ticks and answers go in; output bytes,
// mail and closes come out. It reads no clock, opens nothing and starts no thread; the node's
// runtime and the simulator carry its effects out alike. One thread.
//
// A turn: any number of on_… calls, then end_turn(), whose Effects are carried out. The Effects
// stay as they are until the next end_turn(), also when carrying them out brings new events.
//
// A connection's life: on_accept ... on_closed. Every accepted connection ends in one on_closed,
// which the runtime calls when the network closed or failed, or after it closed as an
// Effects::Close asked. After a Close whatever still comes for the connection is ignored. A ConnId that
// is void is ignored everywhere.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "node/broker/byte_budget.h"
#include "node/broker/counters.h"
#include "node/broker/effects.h"
#include "node/broker/output.h"
#include "node/rules/subscription.h"
#include "shoal/access.h"
#include "shoal/limits.h"
#include "shoal/peers.h"
#include "shoal/types.h"

namespace shoal {

struct ListenerRules {
  Qos max_qos = Qos::k2;
};

struct BrokerConfig {
  Limits limits;
  WorkerIndex worker = 0;
  NodeId node;  // makes assigned client ids unique in the cluster
  std::vector<ListenerRules> listeners = {ListenerRules{}};
  std::string server_reference;         // told to clients that are to go elsewhere; empty: none
  std::string response_information;     // for clients that ask for it; empty: none
  bool check_payload_format = true;     // payloads that declare themselves UTF-8 [MQTT5-3.3.2-4]
  bool assign_client_ids = true;        // to clients of 3.1.1 and 5.0 that name none
  AuthMethods* auth_methods = nullptr;  // null: no enhanced authentication
  ByteBudget* arriving = nullptr;       // for packets still arriving; null: one of its own
  ByteBudget* opening = nullptr;        // the same of clients that are not let in yet
};

// The session of one connection, for `ctl` and tests.
struct SessionInfo {
  std::string_view client_id;
  std::string_view user;
  std::string_view address;
  ConnId conn;
  size_t subscriptions = 0;
  size_t queued = 0;
  size_t inflight = 0;
};

class Core;
struct MovedClient;

class Broker {
 public:
  // `seed`: for choices among equals and assigned client ids.
  Broker(BrokerConfig config, uint64_t seed);
  ~Broker();
  Broker(const Broker&) = delete;
  Broker& operator=(const Broker&) = delete;

  ConnId on_accept(Arrival arrival, Now now);
  // Cut anywhere; what is not a whole packet yet is kept here. `now` is read after the bytes were.
  void on_bytes(ConnId conn, std::span<const uint8_t> bytes, Now now);
  void on_closed(ConnId conn, Now now);
  // output(conn).wants_room() and its bytes() came down to output_bytes_low.
  void on_written(ConnId conn, Now now);
  // Answers a CredentialCheck. For a connection that is connected: its rights from now on, or, when
  // refused, its end (0x87).
  void on_credentials(ConnId conn, const CredentialAnswer& answer, Now now);
  void on_mail(ToWorker&& mail, Now now);
  // Each kTick of time.
  void on_tick(Now now);
  static constexpr Duration kTick = Duration::millis(100);
  // Goes on with what Effects::more said is left; after other events that are waiting.
  void on_more(Now now);

  // For a connection in Effects::dirty, or one that on_accept gave and that is not closed.
  Output& output(ConnId conn);
  Effects& end_turn(Now now);

  // SIGTERM: 0x8B to all, each connection closed after what it was sent; new ones are refused.
  void shut_down(Now now);
  // False when the client has no connection here. It gets 0x98 and is closed; its session stays.
  bool kick(std::string_view client_id, Now now);
  // A message of the node itself below "$SYS/": to this worker's subscribers, and kept for later
  // ones; an empty one ends what is kept of the topic. Nothing of it leaves the worker.
  void publish_system(std::string_view topic, std::string_view payload, Now now);

  // Takes the connection of an Effects::Wish away, for move_in() of the broker of worker `to`; null: something
  // of it is open. Its socket goes the way that this broker's mail for that worker goes, behind what was
  // to be carried out until now; on_closed is not called.
  std::unique_ptr<MovedClient> move_out(ConnId conn, WorkerIndex to, Now now);
  ConnId move_in(std::unique_ptr<MovedClient> moved, Now now);
  // Wishes of so many clients that only publish, as they publish next, for that worker: this one has
  // much to do.
  void offer_publishers(WorkerIndex to, uint32_t most);

  const BrokerCounters& counters();
  void for_each_session(const std::function<void(const SessionInfo&)>& visit);
  // Of one client, or of all where `client_id` is empty.
  using SubscriptionVisit = std::function<void(std::string_view client_id, std::string_view filter,
                                               const SubscriptionOptions& options)>;
  void for_each_subscription(std::string_view client_id, const SubscriptionVisit& visit);
  // Walks everything: for tests and the simulator.
  void check_invariants();

 private:
  std::unique_ptr<Core> core_;
};

}  // namespace shoal

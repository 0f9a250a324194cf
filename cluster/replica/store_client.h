// A node's side of the store: takes what its workers ask of shards to the leaders of these, and brings
// back what they answer. Pure: no I/O, no clock. One thread.
//
// Numbered asks become ops with the node as their source, numbered anew for each shard and worker.
// What is not answered stays here and goes again, in order, to whoever leads the shard next: apply
// takes each number once. So nothing is lost or doubled by a change of leader, and order stays.
//
// A turn: any number of on_… calls, then end_turn().
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cluster/replica/arriving.h"
#include "cluster/replica/uploads.h"
#include "cluster/shard/effects.h"
#include "cluster/shard/entry.h"
#include "proto/shoal/store.pb.h"
#include "shoal/session_store.h"
#include "shoal/types.h"

namespace shoal::replica {

struct ClientEffects {
  struct Request {
    NodeId to;
    proto::StoreRequest message;
  };
  struct Mail {
    WorkerIndex worker = 0;
    FromStore mail;
  };
  std::vector<Request> requests;
  std::vector<Mail> mails;

  void clear() { *this = ClientEffects(); }
};

class StoreClient {
 public:
  struct Options {
    NodeId self;
    uint64_t incarnation = 0;
    uint32_t shards = 1;
    uint64_t cluster_seed = 0;
    int workers = 1;
    // A CONNECT that needs nothing stored waits no longer for a shard without a leader to say whether
    // anything is: then its session is the worker's alone.
    Duration question_timeout = Duration::seconds(2);
    size_t piece_bytes = kPieceBytes;
  };
  explicit StoreClient(const Options& options);

  void on_worker(WorkerIndex from, ToStore&& mail, Now now);
  // The shard is led by `node` since `term` began. Also when a session with that node begins anew.
  void on_leader(uint32_t shard, NodeId node, uint64_t term);
  void on_no_leader(uint32_t shard, uint64_t term);
  void on_reply(NodeId from, proto::StoreReply&& reply, Now now);
  void on_tick(Now now);

  ClientEffects& end_turn();

  struct Leader {
    NodeId node;  // none: nobody is known to lead
    uint64_t term = 0;
  };
  const Leader& leader(uint32_t shard) const { return shards_[shard].leader; }
  uint64_t waiting() const;  // ops that are not answered
  // A CONNECT of this client id is not answered, whoever waits for it.
  bool is_connecting(const std::string& client_id) const {
    return connecting_.contains(client_id) || connects_.contains(client_id);
  }

 private:
  struct Op {
    uint64_t worker_number = 0;  // 0: nobody waits
    bool is_done = false;
    bool is_shared = false;  // more shards have to answer
    std::string client_id;   // of a Connect; empty: it is another
    std::string bytes;
  };
  // Of one worker, to one shard.
  struct Lane {
    std::deque<Op> ops;   // not answered
    uint64_t first = 1;   // number of the first
    size_t sent = 0;      // of them, to the present leader
    bool is_gap = false;  // the leader misses some: again with the next tick
    Uploads uploads;
  };
  struct Session {
    SessionEpoch epoch = 0;
    WorkerIndex worker = 0;
    uint64_t delivered = 0;
    std::unique_ptr<Arriving> arriving;  // the next one; most have none
  };
  struct Shard {
    Leader leader;
    bool begins = false;  // the next request is the first to this leader
    uint64_t beginning = 0;
    std::vector<Lane> lanes;
    std::map<std::string, Session, std::less<>> sessions;
    proto::StoreRequest out;  // questions and room of this turn
  };
  // A CONNECT that is not answered.
  struct Connecting {
    ConnId conn;
    WorkerIndex worker = 0;
    bool is_withdrawn = false;
    uint64_t number = 0;    // its op's; 0: asks whether anything is stored
    uint64_t question = 0;  // token; 0: none
    Instant asked{};
    SessionConnect request;
  };

  // store_asks.cc: asks by kind
  void on(WorkerIndex from, SessionConnect&& mail);
  void on(WorkerIndex from, SessionWithdraw&& mail);
  void on(WorkerIndex from, SessionDetach&& mail);
  void on(WorkerIndex from, SessionSubscribe&& mail);
  void on(WorkerIndex from, SessionUnsubscribe&& mail);
  void on(WorkerIndex from, SessionAck&& mail);
  void on(WorkerIndex from, SessionRoom&& mail);
  void on(WorkerIndex from, SessionReceive&& mail);
  void on(WorkerIndex from, SessionRelease&& mail);
  void on(WorkerIndex from, ShardPublish&& mail);

  template <class AnyOp>
  uint64_t submit(uint32_t shard, WorkerIndex worker, uint64_t worker_number, const AnyOp& op,
                  std::string client_id = {});
  void take(uint32_t shard, WorkerIndex worker, Uploads::Ask ask);
  void submit_message(uint32_t shard, WorkerIndex worker, const Uploads::Ask& ask, uint64_t upload);
  shard::Upload upload_of(WorkerIndex worker, uint64_t number) const;
  void submit_connect(Connecting& connecting);
  void submit_detach(WorkerIndex worker, uint64_t worker_number, const std::string& client_id,
                     SessionEpoch epoch, bool discards_will, std::optional<uint32_t> expiry_s);
  void ask(Connecting& connecting, uint64_t connect_number);
  void say(uint32_t shard, Connecting& connecting);
  void settle(std::map<std::string, Connecting>::iterator it, SessionAttached::Outcome outcome);

  // store_client.cc
  void on_connected(uint32_t shard, const proto::StoreConnected& connected);
  void on_done(uint32_t shard, const proto::StoreDone& done);
  void on_connect_done(WorkerIndex worker, uint64_t number, const Op& op,
                       shard::Effects::Outcome outcome);
  void finish(WorkerIndex worker, const Op& op, SessionDone::Outcome outcome);
  void on_answer(const proto::StoreAnswer& answer);
  void on_evicted(uint32_t shard, const proto::StoreEvicted& evicted);
  void on_uploaded(uint32_t shard, const proto::StoreUploaded& uploaded);
  // store_deliveries.cc
  void on_messages(uint32_t shard, proto::StoreMessages&& messages, Now now);
  void on_pieces(uint32_t shard, const proto::StoreMessages& messages, Session& session);
  // store_client.cc
  void send(uint32_t shard);
  void send_ops(uint32_t shard, const std::string& bytes, uint32_t& ops);
  void post(uint32_t shard, uint32_t ops);

  uint32_t shard_of(std::string_view name) const;

  const Options options_;
  std::vector<Shard> shards_;
  std::map<std::string, Connecting> connecting_;  // by client id: the last one counts
  std::map<uint64_t, std::string> questions_;     // by token: client ids
  std::multiset<std::string> connects_;           // client ids of the Connects among the ops
  uint64_t last_question_ = 0;
  // Asks that several shards have to answer: how many are left, and whether any refused.
  struct Shared {
    int left = 0;
    SessionDone::Outcome outcome = SessionDone::Outcome::kCommitted;
  };
  std::map<std::pair<WorkerIndex, uint64_t>, Shared> shared_;
  Now now_;
  ClientEffects effects_;
};

}  // namespace shoal::replica

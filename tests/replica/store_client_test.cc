// What a node asks of a shard's leader for a client that connects.
#include "cluster/replica/store_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace shoal::replica {
namespace {

const NodeId kSelf{1};
const NodeId kLeader{2};
constexpr uint64_t kTerm = 5;

class StoreClientTest : public testing::Test {
 protected:
  StoreClientTest() : client_({.self = kSelf, .incarnation = 1, .workers = 2}) {
    client_.on_leader(0, kLeader, kTerm);
    turn();
  }

  void connect(WorkerIndex worker, ConnId conn, uint32_t expiry_s) {
    SessionConnect mail;
    mail.conn = conn;
    mail.client_id = "c";
    mail.claim = {++claims_, kSelf};
    mail.expiry_s = expiry_s;
    client_.on_worker(worker, ToStore(std::move(mail)), {});
  }
  void withdraw(WorkerIndex worker, ConnId conn) {
    client_.on_worker(worker, ToStore(SessionWithdraw{conn, "c"}), {});
  }
  ClientEffects turn() { return std::exchange(client_.end_turn(), {}); }
  // What goes to the leader: "asks", or of each op of CONNECT its expiry.
  std::vector<std::string> said() {
    std::vector<std::string> out;
    for (const ClientEffects::Request& each : turn().requests) {
      for (int i = 0; i < each.message.questions_size(); ++i) out.emplace_back("asks");
      shard::EntryBuilder entry(0);
      entry.add_encoded(each.message.ops(), 1);
      std::string bytes = entry.finish();
      shard::Entry read;
      EXPECT_EQ(shard::read_entry(bytes, read), shard::Entry::Outcome::kRead);
      for (const shard::EntryOp& op : read.ops) {
        if (const auto* const connect = std::get_if<shard::ConnectOp>(&op.op)) {
          out.push_back("connects, expiry " + std::to_string(connect->expiry_s));
        }
      }
    }
    return out;
  }
  // The leader has it: the connection's epoch is its number.
  void answer(WorkerIndex worker, uint64_t number) {
    proto::StoreReply reply;
    reply.set_incarnation(1);
    reply.set_term(kTerm);
    reply.set_beginning(1);
    proto::StoreConnected* const connected = reply.add_connected();
    connected->set_worker(worker);
    connected->set_number(number);
    connected->set_client_id("c");
    connected->set_epoch(number);
    proto::StoreDone* const done = reply.add_done();
    done->set_worker(worker);
    done->set_number(number);
    client_.on_reply(kLeader, std::move(reply), {});
  }
  // Connections that were told they are attached.
  std::vector<ConnId> attached() {
    std::vector<ConnId> out;
    for (const ClientEffects::Mail& each : turn().mails) {
      if (const auto* const one = std::get_if<SessionAttached>(&each.mail))
        out.push_back(one->conn);
    }
    return out;
  }

  StoreClient client_;
  uint64_t claims_ = 0;
};

TEST_F(StoreClientTest, WhoNeedsNothingStoredAsksWhetherAnythingIs) {
  connect(0, {1, 1}, 0);
  EXPECT_THAT(said(), testing::ElementsAre("asks"));
}

// The leader may be asked before it has the op, and would say that there is nothing: the session that the op
// then makes would stay attached to a connection that is gone.
TEST_F(StoreClientTest, BehindAConnectWithExpiryOneWithoutIsAnOpToo) {
  connect(0, {1, 1}, 60);
  EXPECT_THAT(said(), testing::ElementsAre("connects, expiry 60"));
  withdraw(0, {1, 1});
  connect(1, {2, 1}, 0);
  EXPECT_THAT(said(), testing::ElementsAre("connects, expiry 0"));
  answer(0, 1);
  EXPECT_THAT(attached(), testing::IsEmpty());
  answer(1, 1);
  EXPECT_THAT(attached(), testing::ElementsAre(ConnId{2, 1}));
}

TEST_F(StoreClientTest, OnceThatIsAnsweredItAsksAgain) {
  connect(0, {1, 1}, 60);
  withdraw(0, {1, 1});
  said();
  answer(0, 1);
  connect(1, {2, 1}, 0);
  EXPECT_THAT(said(), testing::ElementsAre("asks"));
}

}  // namespace
}  // namespace shoal::replica

// A node's side of the store: what its workers ask becomes ops, each in the lane of its worker and shard.
#include <bit>
#include <utility>

#include "cluster/replica/message_spec.h"
#include "cluster/replica/store_client.h"
#include "shoal/assert.h"

namespace shoal::replica {

using shard::AckKind;

void StoreClient::on_worker(WorkerIndex from, ToStore&& mail, Now now) {
  now_ = now;
  std::visit([this, from](auto&& each) { on(from, std::move(each)); }, std::move(mail));
}

template <class AnyOp>
uint64_t StoreClient::submit(uint32_t shard, WorkerIndex worker, uint64_t worker_number,
                             const AnyOp& op, std::string client_id) {
  Lane& lane = shards_[shard].lanes[worker];
  Op& waiting = lane.ops.emplace_back();
  waiting.worker_number = worker_number;
  waiting.client_id = std::move(client_id);
  const uint64_t number = lane.first + lane.ops.size() - 1;
  const shard::Source source{options_.self, options_.incarnation, worker, number};
  shard::append_op(op, source, waiting.bytes);
  return number;
}

// ---- CONNECT

// Without expiry and will nothing has to be stored; but something may be, which this connection
// goes on with or ends. So does what an earlier CONNECT of the client id is about to begin: a leader that
// is asked before it has that op does not know of it.
void StoreClient::on(WorkerIndex from, SessionConnect&& mail) {
  const std::string client_id = mail.client_id;
  const bool needs_op = mail.expiry_s != 0 || mail.will || connects_.contains(client_id);
  Connecting& connecting = connecting_[client_id];
  if (connecting.question != 0) questions_.erase(connecting.question);
  connecting = {.conn = mail.conn, .worker = from, .asked = now_.mono, .request = std::move(mail)};
  if (needs_op) {
    submit_connect(connecting);
  } else {
    ask(connecting, 0);
  }
}

void StoreClient::submit_connect(Connecting& connecting) {
  const SessionConnect& request = connecting.request;
  shard::ConnectOp op{.client_id = request.client_id,
                      .user = request.user,
                      .node = options_.self,
                      .incarnation = options_.incarnation,
                      .worker = connecting.worker,
                      .receive_maximum = request.receive_maximum,
                      .expiry_s = request.expiry_s,
                      .clean_start = request.clean_start,
                      .claim_counter = request.claim.counter,
                      .claim_node = request.claim.node};
  if (request.will) {
    shard::MessageSpec message = spec_of(*request.will->message, now_);
    message.expiry_s = request.will->expiry_s;
    op.will = shard::WillSpec{message, request.will->delay_s};
  }
  connecting.number =
      submit(shard_of(request.client_id), connecting.worker, 0, op, request.client_id);
  connects_.insert(request.client_id);
}

void StoreClient::ask(Connecting& connecting, uint64_t connect_number) {
  connecting.question = ++last_question_;
  connecting.number = connect_number;
  questions_[connecting.question] = connecting.request.client_id;
  const uint32_t shard = shard_of(connecting.request.client_id);
  if (shards_[shard].leader.node && !shards_[shard].begins) say(shard, connecting);
}

void StoreClient::say(uint32_t shard, Connecting& connecting) {
  proto::StoreQuestion* const question = shards_[shard].out.add_questions();
  question->set_token(connecting.question);
  question->set_client_id(connecting.request.client_id);
  question->set_connect_number(connecting.number);
  question->set_worker(connecting.worker);
}

void StoreClient::settle(std::map<std::string, Connecting>::iterator it,
                         SessionAttached::Outcome outcome) {
  Connecting& connecting = it->second;
  if (!connecting.is_withdrawn) {
    SessionAttached attached;
    attached.conn = connecting.conn;
    attached.client_id = it->first;
    attached.outcome = outcome;
    effects_.mails.push_back({connecting.worker, std::move(attached)});
  }
  if (connecting.question != 0) questions_.erase(connecting.question);
  connecting_.erase(it);
}

void StoreClient::on(WorkerIndex, SessionWithdraw&& mail) {
  const auto it = connecting_.find(mail.client_id);
  if (it != connecting_.end() && it->second.conn == mail.conn) it->second.is_withdrawn = true;
}

// ---- the other asks

void StoreClient::submit_detach(WorkerIndex worker, uint64_t worker_number,
                                const std::string& client_id, SessionEpoch epoch,
                                bool discards_will, std::optional<uint32_t> expiry_s) {
  const uint32_t shard = shard_of(client_id);
  auto& sessions = shards_[shard].sessions;
  const auto it = sessions.find(client_id);
  if (it != sessions.end() && it->second.epoch == epoch) sessions.erase(it);
  submit(shard, worker, worker_number,
         shard::DetachOp{.client_id = client_id,
                         .epoch = epoch,
                         .discards_will = discards_will,
                         .expiry_s = expiry_s});
}

void StoreClient::on(WorkerIndex from, SessionDetach&& mail) {
  submit_detach(from, mail.number, mail.client_id, mail.epoch, mail.discards_will, mail.expiry_s);
}

void StoreClient::on(WorkerIndex from, SessionSubscribe&& mail) {
  shard::SubscribeOp op{.client_id = mail.client_id, .epoch = mail.epoch};
  for (const SessionFilter& each : mail.filters) {
    op.filters.push_back({.filter = each.filter,
                          .qos = each.qos,
                          .no_local = each.no_local,
                          .retain_as_published = each.retain_as_published,
                          .identifier = each.identifier,
                          .replay = each.replay});
  }
  submit(shard_of(mail.client_id), from, mail.number, op);
}

void StoreClient::on(WorkerIndex from, SessionUnsubscribe&& mail) {
  shard::UnsubscribeOp op{.client_id = mail.client_id, .epoch = mail.epoch};
  op.filters.assign(mail.filters.begin(), mail.filters.end());
  submit(shard_of(mail.client_id), from, mail.number, op);
}

void StoreClient::on(WorkerIndex from, SessionAck&& mail) {
  shard::AckOp op{.client_id = mail.client_id, .epoch = mail.epoch};
  for (const SessionAck::One& each : mail.acks) {
    AckKind kind = AckKind::kPuback;
    switch (each.kind) {
      case SessionAckKind::kPuback: break;
      case SessionAckKind::kPubrec: kind = AckKind::kPubrec; break;
      case SessionAckKind::kPubrecRefused: kind = AckKind::kPubrecRefused; break;
      case SessionAckKind::kPubcomp: kind = AckKind::kPubcomp; break;
    }
    op.acks.push_back(shard::AckOp::ack(each.message, kind));
  }
  submit(shard_of(mail.client_id), from, mail.number, op);
}

void StoreClient::on(WorkerIndex, SessionRoom&& mail) {
  const uint32_t shard = shard_of(mail.client_id);
  if (!shards_[shard].leader.node || shards_[shard].begins) return;  // it begins with all of it
  proto::StoreRoom* const room = shards_[shard].out.add_room();
  room->set_client_id(mail.client_id);
  room->set_epoch(mail.epoch);
  room->set_message(mail.message);
}

void StoreClient::on(WorkerIndex from, SessionReceive&& mail) {
  const uint32_t shard = shard_of(mail.client_id);
  take(shard, from, {std::move(mail)});
}

void StoreClient::on(WorkerIndex from, SessionRelease&& mail) {
  submit(shard_of(mail.client_id), from, mail.number,
         shard::ReleaseOp{mail.client_id, mail.epoch, mail.packet_id});
}

void StoreClient::on(WorkerIndex from, ShardPublish&& mail) {
  const uint64_t shards = mail.shards & ~uint64_t{0} >> (64 - options_.shards);
  const int count = std::popcount(shards);
  SHOAL_ASSERT(count != 0);
  if (count == 1) {
    return take(static_cast<uint32_t>(std::countr_zero(shards)), from, {std::move(mail)});
  }
  shared_[{from, mail.number}].left = count;
  for (uint64_t left = shards; left != 0; left &= left - 1) {
    take(static_cast<uint32_t>(std::countr_zero(left)), from, {mail, true});
  }
}

// ---- messages

void StoreClient::take(uint32_t shard, WorkerIndex worker, Uploads::Ask ask) {
  Uploads& uploads = shards_[shard].lanes[worker].uploads;
  if (uploads.takes(*ask.message(), options_.piece_bytes)) {
    uploads.add(std::move(ask), options_.piece_bytes);
  } else {
    submit_message(shard, worker, ask, 0);
  }
}

shard::Upload StoreClient::upload_of(WorkerIndex worker, uint64_t number) const {
  return {options_.self, options_.incarnation, worker, number};
}

void StoreClient::submit_message(uint32_t shard, WorkerIndex worker, const Uploads::Ask& ask,
                                 uint64_t upload) {
  shard::MessageSpec message = spec_of(*ask.message(), now_);
  if (upload != 0) {
    message.payload = {};
    message.upload = upload_of(worker, upload);
  }
  if (const auto* const receive = std::get_if<SessionReceive>(&ask.mail)) {
    submit(shard, worker, receive->number,
           shard::ReceiveOp{.client_id = receive->client_id,
                            .epoch = receive->epoch,
                            .packet_id = receive->packet_id,
                            .message = message});
    return;
  }
  const auto& publish = std::get<ShardPublish>(ask.mail);
  shard::PublishOp op{.message = message, .group = publish.shared};
  if (publish.item) op.item = {publish.item->shard, publish.item->number, publish.item->least};
  submit(shard, worker, publish.number, op);
  shards_[shard].lanes[worker].ops.back().is_shared = ask.is_shared;
}

}  // namespace shoal::replica

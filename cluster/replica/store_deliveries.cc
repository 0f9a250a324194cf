// A node's side of the store: the messages of its sessions, on their way to the workers.
#include <utility>

#include "cluster/replica/message_spec.h"
#include "cluster/replica/store_client.h"
#include "shoal/mutation.h"

namespace shoal::replica {
namespace {

SessionMessage session_message(const proto::StoreMessage& from) {
  SessionMessage out;
  out.number = from.number();
  out.qos = static_cast<Qos>(from.qos());
  out.retain = from.retain();
  out.dup = from.dup();
  out.released = from.released();
  out.identifiers.assign(from.identifiers().begin(), from.identifiers().end());
  return out;
}

}  // namespace

void StoreClient::on_messages(uint32_t at, proto::StoreMessages&& messages, Now now) {
  auto& sessions = shards_[at].sessions;
  const auto it = sessions.find(messages.client_id());
  if (it == sessions.end() || it->second.epoch != messages.epoch()) return;
  Session& session = it->second;
  SessionMessages mail;
  mail.client_id = messages.client_id();
  mail.epoch = messages.epoch();
  for (const proto::StoreMessage& each : messages.messages()) {
    const bool had = each.number() <= session.delivered;
    if (had && !SHOAL_MUTATED("store-begins-at-head")) continue;
    if (each.payload_bytes() != 0) {
      const bool is_sane = each.payload_bytes() <= Arriving::kBytesMax;
      if (is_sane) session.arriving = std::make_unique<Arriving>(each, now);
      continue;
    }
    session.delivered = each.number();
    SessionMessage& out = mail.messages.emplace_back(session_message(each));
    if (!out.released) out.message = message_of(each, now);
  }
  if (!mail.messages.empty()) effects_.mails.push_back({session.worker, std::move(mail)});
  if (messages.pieces_size() != 0) on_pieces(at, messages, session);
}

void StoreClient::on_pieces(uint32_t at, const proto::StoreMessages& messages, Session& session) {
  if (!session.arriving) return;
  for (const proto::StorePiece& each : messages.pieces()) {
    if (!session.arriving->add(each)) return;
  }
  const Arriving& arriving = *session.arriving;
  proto::StorePiecesRead* const read = shards_[at].out.add_read();
  read->set_client_id(messages.client_id());
  read->set_epoch(messages.epoch());
  read->set_message(arriving.head().number());
  read->set_bytes(arriving.bytes());
  if (!arriving.is_whole()) return;
  session.delivered = arriving.head().number();
  SessionMessages mail;
  mail.client_id = messages.client_id();
  mail.epoch = messages.epoch();
  SessionMessage& out = mail.messages.emplace_back(session_message(arriving.head()));
  out.message = arriving.message();
  session.arriving.reset();
  effects_.mails.push_back({session.worker, std::move(mail)});
}

}  // namespace shoal::replica

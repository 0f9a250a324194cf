// A simulated node's connections with clients.
#include <algorithm>

#include "node/broker/moved_client.h"
#include "tests/sim/sim_node.h"
#include "tests/sim/sim_node_parts.h"

namespace shoal::sim {

std::unique_ptr<ClientPort> SimNode::dial(SimClient& client, uint64_t connection) {
  auto end = std::make_shared<ServerEnd>();
  end->client = &client;
  end->connection = connection;
  end->life = life_;
  end->worker = static_cast<int>(world_.random().below(static_cast<uint64_t>(config_.workers)));
  // Some come by radio: what was sent to them is long on its way, and lost when they break.
  end->latency = world_.random().one_in(3)
                     ? world_.between(Duration::millis(2), Duration::millis(15))
                     : Duration{150'000};
  auto port = std::make_unique<Port>(*this, end);
  world_.at(port->arrival(), [this, end] {
    if (end->life != life_ || !is_up()) {
      if (end->client != nullptr) end->client->on_closed(end->connection);
      return;
    }
    post_socket(end, [this, end](Now now) { accept(end, now); });
  });
  return port;
}

void SimNode::accept(std::shared_ptr<ServerEnd> end, Now now) {
  if (end->closed) return;
  Arrival arrival;
  arrival.address = "device";
  end->conn = broker(end->worker).on_accept(std::move(arrival), now);
  end->accepted = true;
  process_->connections[{end->worker, packed(end->conn)}] = end;
}

void SimNode::take_arrived(const std::shared_ptr<ServerEnd>& end, Now now) {
  std::vector<uint8_t> bytes = std::move(end->arrived.front());
  end->arrived.pop_front();
  take_bytes(end, std::move(bytes), now);
}

void SimNode::take_bytes(const std::shared_ptr<ServerEnd>& end, std::vector<uint8_t> bytes,
                         Now now) {
  end->unread.insert(end->unread.end(), bytes.begin(), bytes.end());
  if (end->closed || end->closing || end->paused || !end->accepted || end->unread.empty()) return;
  // At times the bytes come cut in the middle of a packet.
  std::vector<uint8_t> whole = std::exchange(end->unread, {});
  size_t cut = whole.size();
  if (world_.random().one_in(8)) cut = world_.random().below(whole.size()) + 1;
  const std::span<const uint8_t> all(whole);
  broker(end->worker).on_bytes(end->conn, all.first(cut), now);
  if (cut < whole.size()) broker(end->worker).on_bytes(end->conn, all.subspan(cut), now);
}

void SimNode::client_closed(const std::shared_ptr<ServerEnd>& end) {
  if (end->life != life_ || !is_up()) return;
  post_socket(end, [this, end](Now) {
    end->closed = true;
    if (end->accepted) finish_close(end);
  });
}

void SimNode::break_some_client() {
  if (!is_up() || process_->connections.empty()) return;
  auto some = process_->connections.begin();
  std::advance(some,
               static_cast<std::ptrdiff_t>(world_.random().below(process_->connections.size())));
  const std::shared_ptr<ServerEnd> end = some->second;
  SimClient* const client = std::exchange(end->client, nullptr);
  if (client == nullptr) return;
  client->on_closed(end->connection);
  // The node often does not hear of it: nothing comes any more, and what it sends is lost.
  if (world_.random().one_in(2)) client_closed(end);
}

std::shared_ptr<SimNode::ServerEnd> SimNode::end_of(int worker, ConnId conn) {
  const auto found = process_->connections.find({worker, packed(conn)});
  return found == process_->connections.end() ? nullptr : found->second;
}

// Writes what the client's socket takes: mostly all, at times a part and the rest a little later.
void SimNode::pump(const std::shared_ptr<ServerEnd>& end) {
  if (end->pumping || end->closed) return;
  if (frozen_) return pump_later(end);
  Output& output = broker(end->worker).output(end->conn);
  std::vector<uint8_t> bytes;
  std::span<const uint8_t> pieces[16];
  const size_t filled = output.gather(pieces);
  for (size_t i = 0; i < filled; ++i) bytes.insert(bytes.end(), pieces[i].begin(), pieces[i].end());
  if (bytes.size() > 1 && world_.random().one_in(10)) {
    bytes.resize(1 + world_.random().below(bytes.size() - 1));
  }
  if (const size_t room = room_of(*end); bytes.size() > room) bytes.resize(room);
  const bool wanted_room = output.wants_room();
  output.consume(bytes.size());
  if (SimClient* const client = end->client; client != nullptr && !bytes.empty()) {
    end->last_to_client =
        std::max(end->last_to_client, world_.now() + world_.long_tailed(end->latency));
    end->on_way += bytes.size();
    world_.at(end->last_to_client, [end, bytes = std::move(bytes)] {
      end->on_way -= bytes.size();
      if (end->client != nullptr) end->client->on_bytes(end->connection, bytes);
    });
  }
  if (wanted_room && output.bytes() <= config_.limits.output_bytes_low) {
    post_socket(end, [this, end](Now now) {
      if (!end->closed) broker(end->worker).on_written(end->conn, now);
    });
  }
  if (output.empty()) {
    if (end->closing) finish_close(end);
    return;
  }
  pump_later(end);
}

// What the client's socket takes.
size_t SimNode::room_of(const ServerEnd& end) {
  if (end.client == nullptr) return SIZE_MAX;
  const size_t room = end.client->room();
  return room == SIZE_MAX ? room : room - std::min(room, end.on_way);
}

void SimNode::pump_later(const std::shared_ptr<ServerEnd>& end) {
  end->pumping = true;
  const Duration patience = room_of(*end) == 0 ? Duration::millis(30) : Duration::millis(2);
  world_.after(world_.between(Duration{50'000}, patience), [this, end] {
    end->pumping = false;
    if (end->life == life_ && is_up() && !end->closed) pump(end);
  });
}

void SimNode::finish_close(const std::shared_ptr<ServerEnd>& end) {
  const auto key = std::pair(end->worker, packed(end->conn));
  if (process_->connections.erase(key) == 0) return;
  end->closed = true;
  const Instant last = std::max(end->last_to_client, world_.now());
  world_.at(last + Duration{1000}, [end] {
    if (SimClient* const client = std::exchange(end->client, nullptr)) {
      client->on_closed(end->connection);
    }
  });
  post_socket(end->worker, [this, end](Now now) { broker(end->worker).on_closed(end->conn, now); });
}

// ---- between workers ----------------------------------------------------------------------------------

// How busy its workers are is not simulated: any gives one away at times.
void SimNode::offer_publishers(int worker) {
  const auto other = world_.random().below(static_cast<uint64_t>(config_.workers));
  const bool gives = static_cast<int>(other) != worker && world_.random().one_in(4);
  broker(worker).offer_publishers(static_cast<WorkerIndex>(other), gives ? 1 : 0);
}

void SimNode::move(int worker, const Effects::Wish& wish) {
  const auto end = end_of(worker, wish.conn);
  if (!end || end->closed || end->closing || end->paused || end->pumping) return;
  auto client = broker(worker).move_out(wish.conn, wish.worker, now());
  if (!client) return;
  ++client_moves_;
  process_->connections.erase({worker, packed(end->conn)});
  end->worker = wish.worker;
  end->accepted = false;  // until it is there
  auto shared = std::make_shared<std::unique_ptr<MovedClient>>(std::move(client));
  post(end->worker, [this, end, shared](Now now) { moved_in(end, std::move(*shared), now); });
}

void SimNode::moved_in(const std::shared_ptr<ServerEnd>& end, std::unique_ptr<MovedClient> client,
                       Now now) {
  end->conn = broker(end->worker).move_in(std::move(client), now);
  end->accepted = true;
  process_->connections[{end->worker, packed(end->conn)}] = end;
  if (end->closed) return finish_close(end);
  take_bytes(end, {}, now);
}

}  // namespace shoal::sim

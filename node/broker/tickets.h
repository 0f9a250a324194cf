// A ticket counts who has yet to accept one message. When nobody is left, the one who waits is told:
// the publishing client by PUBACK or PUBREC, or the worker that forwarded the message by an
// acceptance. A message that everyone accepted at once never has a ticket.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "shoal/message.h"
#include "shoal/types.h"

namespace shoal {

struct Session;

struct Ticket {
  enum class For : uint8_t {
    kNobody,  // its owner gave up: only picks are still made good
    kClient,  // conn, packet_id
    kRemote,  // origin, number
  };
  For owner = For::kNobody;
  Qos qos = Qos::k0;
  bool counted = false;     // in session->open_tickets
  bool outstays = false;    // is not to hold up the end of its session
  bool not_placed = false;  // kRemote: the answer is kNotPlaced
  bool over_quota = false;  // kClient: the answer is 0x97
  uint16_t packet_id = 0;
  uint32_t pending = 0;    // who has yet to accept
  uint32_t members = 0;    // of these, members of shared subscriptions
  size_t large_bytes = 0;  // of a large payload: its publisher is not read meanwhile
  ConnId conn;
  Session* session = nullptr;  // the publisher's
  Instant since;               // when the PUBLISH came, or was waited for anew
  Place origin;
  uint64_t number = 0;
  MessageRef message;          // when a pick may have to be made again
  Ticket* previous = nullptr;  // in the order of `since`
  Ticket* next = nullptr;
};

class TicketTable {
 public:
  TicketTable() = default;
  ~TicketTable();
  TicketTable(const TicketTable&) = delete;
  TicketTable& operator=(const TicketTable&) = delete;

  Ticket* create();
  void destroy(Ticket* ticket);
  // It is the youngest from now on.
  void renew(Ticket* ticket, Instant now);
  Ticket* oldest() const { return first_; }
  uint32_t size() const { return size_; }

 private:
  void append(Ticket* ticket);
  void unlink(Ticket* ticket);

  Ticket* first_ = nullptr;
  Ticket* last_ = nullptr;
  Ticket* spare_ = nullptr;
  uint32_t size_ = 0;
};

}  // namespace shoal

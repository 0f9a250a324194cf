#include "node/broker/tickets.h"

#include "shoal/assert.h"

namespace shoal {
namespace {

void delete_all(Ticket* ticket) {
  while (ticket) {
    Ticket* const next = ticket->next;
    delete ticket;
    ticket = next;
  }
}

}  // namespace

TicketTable::~TicketTable() {
  delete_all(first_);
  delete_all(spare_);
}

Ticket* TicketTable::create() {
  Ticket* ticket = spare_;
  if (ticket) {
    spare_ = ticket->next;
    *ticket = Ticket{};
  } else {
    ticket = new Ticket;
  }
  append(ticket);
  ++size_;
  return ticket;
}

void TicketTable::append(Ticket* ticket) {
  ticket->previous = last_;
  ticket->next = nullptr;
  (last_ ? last_->next : first_) = ticket;
  last_ = ticket;
}

void TicketTable::unlink(Ticket* ticket) {
  (ticket->previous ? ticket->previous->next : first_) = ticket->next;
  (ticket->next ? ticket->next->previous : last_) = ticket->previous;
}

void TicketTable::renew(Ticket* ticket, Instant now) {
  unlink(ticket);
  append(ticket);
  ticket->since = now;
}

void TicketTable::destroy(Ticket* ticket) {
  SHOAL_ASSERT(ticket->pending == 0);
  unlink(ticket);
  ticket->message = MessageRef();
  ticket->next = spare_;
  spare_ = ticket;
  --size_;
}

}  // namespace shoal

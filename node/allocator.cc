// jemalloc reads this at its start (without it the name means nothing). What was freed goes back to the
// system after its default of ten seconds only when some thread goes on allocating, or by a thread of
// its own: a node that had a large message and then nothing to do would keep that memory.
extern "C" {
extern const char* const malloc_conf;
const char* const malloc_conf = "background_thread:true";
}

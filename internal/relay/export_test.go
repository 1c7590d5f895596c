package relay

// Ask asks a pair to park, as it does when nothing has come for a while, and reports whether it is asked now.
func (j *Pair) Ask() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	if !j.asked.Load() && !j.parked.Load() && !j.over {
		j.ask()
	}
	return j.asked.Load()
}

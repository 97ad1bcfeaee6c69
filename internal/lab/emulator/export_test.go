package emulator

// Upstream is where moto itself listens, behind the proxy.
func (e *Emulator) Upstream() string { return e.process.addr }

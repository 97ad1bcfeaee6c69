// Package simulate runs years of a fleet in seconds: a stepped clock, the real planner and the real budgets on one side, and on the
// other a CA that enforces its limits by code of its own. What the CA sees is written down, event by event, so that anyone can replay it.
//
//	scenario ─▶ fleet ─▶ ticks: plan.Planner ─▶ queue ─▶ worker: renew.Admit, budget.Decide ─▶ Authority
//	                        ▲                                                                    │
//	                        └──────────── shelf (inventory, buckets) ◀───────────────────────────┘
//
// Nothing here reads a clock or throws unseeded dice: the same scenario always gives the same run. All times are UTC and, where a CA
// sees them, whole seconds.
package simulate

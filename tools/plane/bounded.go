package main

import (
	"fmt"
	"runtime"
	"sync"
	"time"
)

// tick is how often limits are looked at: a tenth of the shortest sensible limit.
const tick = 50 * time.Millisecond

// progress is how far the rendering of one chart has come. A template that never ends cannot be stopped in Go, but nobody
// has to wait for it: its chart is given up, and the process ends with the answer.
type progress struct {
	lock    sync.Mutex
	results []result
	next    int
	began   time.Time
	done    bool
}

// bounded renders all charts at the same time, each point within its time and all within the memory.
func bounded(asked request) [][]result {
	all := make([]*progress, len(asked.Charts))
	slots := make(chan struct{}, runtime.GOMAXPROCS(0))
	for i, chart := range asked.Charts {
		all[i] = &progress{results: make([]result, len(chart.Points))}
		go func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			all[i].render(chart)
		}()
	}
	limit := time.Duration(asked.Seconds * float64(time.Second))
	for !finished(all) {
		time.Sleep(tick / 50)
		for _, chart := range all {
			if chart.late(limit) {
				chart.giveUp(fmt.Sprintf("rendering did not end within %.0f s: does a template loop?", asked.Seconds))
			}
		}
		if used := memory(); used > asked.MiB<<20 {
			for _, chart := range all {
				chart.giveUp(fmt.Sprintf("rendering takes more than %d MiB: does a template loop?", asked.MiB))
			}
		}
	}
	found := make([][]result, len(all))
	for i, chart := range all {
		found[i] = chart.results
	}
	return found
}

var (
	measured time.Time
	inUse    uint64
)

// memory is what the heap holds, measured only now and then, for measuring stops everything.
func memory() uint64 {
	if time.Since(measured) > tick {
		var stats runtime.MemStats
		runtime.ReadMemStats(&stats)
		measured, inUse = time.Now(), stats.HeapAlloc
	}
	return inUse
}

func (p *progress) render(asked chartRequest) {
	prepared := prepare(asked)
	for number, point := range asked.Points {
		if !p.begin(number) {
			return
		}
		p.end(number, prepared.render(point))
	}
	p.lock.Lock()
	defer p.lock.Unlock()
	p.done = true
}

// begin says whether the point is still wanted.
func (p *progress) begin(number int) bool {
	p.lock.Lock()
	defer p.lock.Unlock()
	p.next, p.began = number, time.Now()
	return !p.done
}

func (p *progress) end(number int, found result) {
	p.lock.Lock()
	defer p.lock.Unlock()
	if !p.done {
		p.results[number] = found
		p.began = time.Time{}
	}
}

func (p *progress) late(limit time.Duration) bool {
	p.lock.Lock()
	defer p.lock.Unlock()
	return !p.done && !p.began.IsZero() && time.Since(p.began) > limit
}

// giveUp ends the chart: the point at hand and those after it get the reason.
func (p *progress) giveUp(reason string) {
	p.lock.Lock()
	defer p.lock.Unlock()
	if p.done {
		return
	}
	p.done = true
	for number := p.next; number < len(p.results); number++ {
		p.results[number] = result{Error: reason}
	}
}

func finished(all []*progress) bool {
	for _, chart := range all {
		chart.lock.Lock()
		done := chart.done
		chart.lock.Unlock()
		if !done {
			return false
		}
	}
	return true
}

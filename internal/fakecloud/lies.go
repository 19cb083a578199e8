package fakecloud

// lies are the list faults that befell one call.
type lies []Fault

func (l lies) has(kind Kind) bool {
	_, ok := l.find(kind)
	return ok
}

func (l lies) find(kind Kind) (Fault, bool) {
	for _, lie := range l {
		if lie.Kind == kind {
			return lie, true
		}
	}
	return Fault{}, false
}

// about reports whether a lie of that kind concerns a task, at a time that
// lies within the lie's For since a moment.
func (l lies) about(kind Kind, r *record, since, now int64) bool {
	for _, lie := range l {
		if lie.Kind == kind && (lie.TaskID == "" || lie.TaskID == r.ID) && (lie.For == 0 || now-since < int64(lie.For)) {
			return true
		}
	}
	return false
}

func (l lies) hide(r *record, now int64) bool { return l.about(ListLate, r, r.start, now) }

func (l lies) revive(r *record, now int64) bool { return l.about(ListStale, r, r.end, now) }

// skip reports whether a row is counted, but not shown.
func (l lies) skip(r *record, index int64, q listQuery) bool {
	for _, lie := range l {
		if lie.Kind == ListSkip && (lie.TaskID == r.ID || lie.TaskID == "" && q.offset > 0 && index == q.offset) {
			return true
		}
	}
	return false
}

// page is the rows and the total as told.
func (l lies) page(rows []listRow, total int64) ([]listRow, int64) {
	if l.has(ListEmpty) {
		rows, total = []listRow{}, 0
	}
	if l.has(ListDuplicate) {
		doubled := make([]listRow, 0, 2*len(rows))
		for _, row := range rows {
			doubled = append(doubled, row, row)
		}
		rows = doubled
	}
	if lie, ok := l.find(ListTotal); ok {
		total = lie.Total
	}
	return rows, total
}

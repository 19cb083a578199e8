package tencent

import (
	"errors"
	"net/url"
	"regexp"
	"strings"
)

const (
	defaultRootDomain = "tencentcloudapi.com"
	// legacyHost serves API 2.0, whatever the root domain.
	legacyHost = "redis.api.qcloud.com"
)

var (
	regionPattern   = regexp.MustCompile(`^[a-z]{2}(-[a-z]+){1,3}$`)
	domainPattern   = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)+$`)
	endpointPattern = regexp.MustCompile(`^([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?$`)
)

// endpoints knows which host serves what.
type endpoints struct {
	scheme     string
	override   string // takes every call when set
	rootDomain string
}

func newEndpoints(endpoint, rootDomain string) (endpoints, error) {
	e := endpoints{scheme: "https", rootDomain: rootDomain}
	if rootDomain == "" {
		e.rootDomain = defaultRootDomain
	}
	if len(e.rootDomain) > 200 || !domainPattern.MatchString(e.rootDomain) {
		return endpoints{}, errors.New("the cloud's root domain must be a domain such as intl.tencentcloudapi.com")
	}
	if endpoint == "" {
		return e, nil
	}
	// The endpoint is not repeated in the error: it may hold a password.
	u, err := url.Parse(endpoint)
	if err != nil || *u != (url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}) ||
		u.Scheme != "http" && u.Scheme != "https" ||
		!endpointPattern.MatchString(u.Host) || strings.Trim(u.Path, "/") != "" {
		return endpoints{}, errors.New("the cloud's endpoint must be http://host:port or https://host:port, without user, path or query")
	}
	e.scheme, e.override = u.Scheme, u.Host
	return e, nil
}

// host is where a service is asked about a region. Finance regions are cut off
// from the others and have hosts of their own.
func (e endpoints) host(service, region string) string {
	switch {
	case e.override != "":
		return e.override
	case service == LegacyRedisTaskInfo.service():
		return legacyHost
	case strings.HasSuffix(region, "-fsi") && validRegion(region):
		return service + "." + region + "." + e.rootDomain
	}
	return service + "." + e.rootDomain
}

func validRegion(region string) bool { return len(region) <= 40 && regionPattern.MatchString(region) }

// checkRegion holds the schema's rule once more, since a region is part of a
// host's name.
func checkRegion(region string) error {
	if validRegion(region) {
		return nil
	}
	return &Error{Kind: InvalidRequest, Code: "UnsupportedRegion", Message: "the region must look like ap-guangzhou"}
}

package cli

import (
	"fmt"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"unsafe"
)

// lonelyShell is a shell for a page: in a network of its own, where nothing but it listens, if this machine lets us make one.
func lonelyShell() *exec.Cmd {
	if !lonelinessWorks() {
		return exec.Command("bash")
	}
	return lonely("bash")
}

// lonelinessWorks says whether pages get networks of their own, and so may run beside each other.
var lonelinessWorks = sync.OnceValue(func() bool {
	return lonely("true").Run() == nil
})

// lonely is a command of [TestMain], told what to run.
func lonely(program string) *exec.Cmd {
	cmd := exec.Command("lonely", program)
	cmd.SysProcAttr = &syscall.SysProcAttr{
		// With processes of its own, too: when the shell ends, everything that it has started does.
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNET | syscall.CLONE_NEWPID,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
	}
	return cmd
}

// beLonely is that command: it is started in an empty network, gives it its loopback, and becomes the program.
func beLonely() {
	fmt.Fprintln(os.Stderr, raiseLoopback())
	os.Exit(1)
}

func raiseLoopback() error {
	// struct ifreq of netdevice(7): a name, then flags.
	request := struct {
		name  [16]byte
		flags uint16
		_     [22]byte
	}{flags: syscall.IFF_UP | syscall.IFF_RUNNING}
	copy(request.name[:], "lo")
	s, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_DGRAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	if _, _, number := syscall.Syscall(syscall.SYS_IOCTL, uintptr(s), syscall.SIOCSIFFLAGS, uintptr(unsafe.Pointer(&request))); number != 0 {
		return number
	}
	program, err := exec.LookPath(os.Args[1])
	if err != nil {
		return err
	}
	return syscall.Exec(program, os.Args[1:], os.Environ())
}

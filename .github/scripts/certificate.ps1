# Puts the certificate that programs are signed with into this account's store, and writes the part of Tauri's configuration
# that names it. Without a certificate that part is empty.
#
#   certificate.ps1 -Configuration FILE
#
# WINDOWS_CERTIFICATE is a PFX file in Base64, WINDOWS_CERTIFICATE_PASSWORD its password.
param([Parameter(Mandatory)] [string] $Configuration)
Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'

$windows = @{}
if ($env:WINDOWS_CERTIFICATE) {
    $file = Join-Path ([IO.Path]::GetTempPath()) ([IO.Path]::GetRandomFileName())
    [IO.File]::WriteAllBytes($file, [Convert]::FromBase64String($env:WINDOWS_CERTIFICATE))
    try {
        $password = ConvertTo-SecureString $env:WINDOWS_CERTIFICATE_PASSWORD -AsPlainText -Force
        $certificate = Import-PfxCertificate $file -CertStoreLocation Cert:\CurrentUser\My -Password $password
    } finally {
        Remove-Item $file
    }
    $windows = @{ certificateThumbprint = $certificate.Thumbprint; timestampUrl = 'http://timestamp.digicert.com' }
    Write-Output "Signing as $($certificate.Subject)."
} else {
    Write-Output 'There is no certificate: the setup program will not be signed.'
}
$text = @{ bundle = @{ windows = $windows } } | ConvertTo-Json -Depth 5
# Without a byte order mark, which some versions of PowerShell would write.
[IO.File]::WriteAllText($Configuration, $text)
